// The metrics page: its table against the documentation, and what it sums up.
#include "broker/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>

#include "proto/base/clock.h"
#include "proto/http/exposition.h"

namespace telpher::broker {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

std::string read_file(const std::string& path) {
    std::ifstream file(TELPHER_SOURCE_DIR "/" + path);
    EXPECT_TRUE(file) << path;
    return {std::istreambuf_iterator<char>(file), {}};
}

QueueSample queue(std::uint64_t id, const std::string& name, std::uint64_t ready = 0) {
    QueueSample sample;
    sample.id = QueueId(id);
    sample.state.set_name(name);
    sample.state.set_ready(ready);
    return sample;
}

Sample thousand_busy_queues() {
    Sample sample;
    for (std::uint64_t i = 0; i < 1000; ++i) {
        QueueSample& one = sample.queues.emplace_back(queue(i + 1, "queue-" + std::to_string(i), i));
        one.oldest_ready = 1234567us;
        for (const std::int64_t bound : TimeBounds::kBounds) {
            one.metrics.put_wait.observe(bound, i + 1);
            one.metrics.queue_wait.observe(bound - 1, 100 * i);
            one.metrics.lease.observe(bound + 1, 100'000 * i);
        }
    }
    return sample;
}

TEST(Histogram, BoundsBelongToTheirBucket) {
    TimeHistogram histogram;
    histogram.observe(100'000);
    histogram.observe(100'001);
    histogram.observe(-5);
    EXPECT_EQ(histogram.counts()[0], 2U);
    EXPECT_EQ(histogram.counts()[1], 1U);
    AtomicHistogram<CountBounds> counts;
    counts.observe(100'001);
    EXPECT_EQ(counts.read().counts().back(), 1U);
    EXPECT_EQ(counts.read().sum(), 100'001);
}

TEST(Metrics, EveryFamilyIsWrittenOnceAndDocumented) {
    Sample sample;
    sample.queues = {queue(1, "jobs", 7)};
    std::map<std::string, std::string> written;
    for (const std::string& line : lines_of(metrics_text(sample, {}, {}))) {
        std::istringstream words(line);
        std::string hash, type, name, kind;
        if (words >> hash >> type >> name >> kind && type == "TYPE") {
            EXPECT_TRUE(written.emplace(name, kind).second) << name;
        }
    }
    std::map<std::string, std::string> documented;
    const std::string page = read_file("docs/reference/metrics.md");
    const std::regex row(R"(\n\| `([a-z_]+)` \| (\w+) \| ([^|]*) \| ([^|]+) \|)");
    for (std::sregex_iterator at(page.begin(), page.end(), row), end; at != end; ++at) {
        EXPECT_TRUE(documented.emplace((*at)[1], (*at)[2]).second) << (*at)[1];
    }
    EXPECT_EQ(written, documented);
    for (const MetricFamily& family : metric_families()) {
        std::string labels;
        for (const char c : family.labels) labels += c == ' ' ? "" : std::string(1, c);
        const std::string text = "| `" + std::string(family.name) + "` | " + std::string(family.type) + " | " +
                                 std::string(family.labels) + " |";
        EXPECT_THAT(page, HasSubstr(text)) << "docs/reference/metrics.md";
    }
}

TEST(Metrics, QueuesBeyondTheLimitAreSummedUp) {
    Sample sample;
    sample.queues = {queue(3, "a", 1), queue(1, "b", 10), queue(2, "c", 100), queue(4, "d", 1000)};
    sample.queues[0].oldest_ready = 5s;
    sample.queues[3].oldest_ready = 9s;
    const std::string text = metrics_text(sample, {}, {.family = {}, .queue_series_max = 2});
    EXPECT_THAT(text, HasSubstr("telpher_queue_ready_messages{queue=\"b\"} 10\n"));
    EXPECT_THAT(text, HasSubstr("telpher_queue_ready_messages{queue=\"c\"} 100\n"));
    EXPECT_THAT(text, HasSubstr("telpher_queue_ready_messages{queue=\"_other\"} 1001\n"));
    EXPECT_THAT(text, HasSubstr("telpher_queue_oldest_ready_age_seconds{queue=\"_other\"} 9\n"));
    EXPECT_THAT(text, Not(HasSubstr("queue=\"a\"")));
}

TEST(Metrics, AQueueOfThatNameIsAmongTheOthers) {
    Sample sample;
    sample.queues = {queue(1, "_other", 1)};
    const auto lines = lines_of(metrics_text(sample, {}, {}));
    EXPECT_EQ(std::count(lines.begin(), lines.end(), "telpher_queue_ready_messages{queue=\"_other\"} 1"), 1);
}

TEST(Metrics, FamiliesCanBeChosen) {
    Sample sample;
    sample.queues = {queue(1, "jobs", 1)};
    const std::string text = metrics_text(sample, {}, {.family = "queue_ready", .queue_series_max = 10});
    EXPECT_EQ(lines_of(text).size(), 3U) << text;
    EXPECT_TRUE(wants_queues({.family = "telpher_messages_put", .queue_series_max = 10}));
    EXPECT_FALSE(wants_queues({.family = "process_", .queue_series_max = 10}));
}

// The claim of docs/reference/metrics.md, with room for a slow machine and a debug build; the figure is printed.
TEST(Metrics, AThousandQueuesAreWrittenInNoTime) {
    const Sample sample = thousand_busy_queues();
    const Instant began = system_clock().now();
    const std::string text = metrics_text(sample, {}, {});
    const Duration took = system_clock().now() - began;
    std::cout << "1,000 queues: " << text.size() << " bytes in "
              << std::chrono::duration<double, std::milli>(took).count() << " ms\n";
    EXPECT_LT(took, 500ms);
}

TEST(LeaseTimes, AreKnownByRun) {
    LeaseTimes times;
    times.begin({Offset(10), 10}, Instant{100});
    times.begin({Offset(20), 5}, Instant{200});
    EXPECT_EQ(times.oldest(10), Instant{100});
    std::vector<std::pair<std::int64_t, std::uint64_t>> ended;
    times.end({Offset(15), 20}, [&](Instant since, std::uint64_t count) { ended.emplace_back(since.ns, count); });
    EXPECT_THAT(ended, testing::ElementsAre(testing::Pair(100, 5), testing::Pair(200, 5)));
    times.begin({Offset(12), 2}, Instant{300});  // again
    times.end({Offset(0), 100});
    EXPECT_TRUE(times.empty());
    EXPECT_FALSE(times.oldest(10).has_value());
}

}  // namespace
}  // namespace telpher::broker
