// The metrics page: its text against prometheus-cpp's, its table against the documentation, and what it sums up.
#include "broker/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <limits>
#include <regex>
#include <set>
#include <sstream>

#include "broker/exposition.h"
#include "proto/base/clock.h"

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

TEST(Exposition, SaysWhatPrometheusCppSays) {
    TimeHistogram histogram;
    histogram.observe(50'000, 3);
    histogram.observe(1'000'000);
    histogram.observe(70'000'000'000, 2);
    prometheus::MetricFamily gauge{"g", "a gauge", prometheus::MetricType::Gauge, {}};
    prometheus::MetricFamily counts{"h_seconds", "a histogram", prometheus::MetricType::Histogram, {}};
    Exposition ours;
    ours.begin("g", "gauge", "a gauge");
    for (const double value : {0.0, 1.0, -1.0, 0.5, 1e6, 1234567.25, 4503599627370496.0}) {
        prometheus::ClientMetric metric;
        metric.label = {{"a", "\"x\"\\\n"}, {"n", std::to_string(value)}};
        metric.gauge.value = value;
        gauge.metric.push_back(metric);
        ours.sample(Exposition::labels({{"a", "\"x\"\\\n"}, {"n", std::to_string(value)}}), value);
    }
    prometheus::ClientMetric metric;
    metric.label = {{"queue", "jobs"}};
    metric.histogram.sample_sum = histogram.sum() * 1e-9;
    for (std::size_t i = 0; i < TimeHistogram::kBuckets; ++i) {
        metric.histogram.sample_count += histogram.counts()[i];
        const double bound = i < TimeBounds::kBounds.size() ? static_cast<double>(TimeBounds::kBounds[i]) * 1e-9
                                                            : std::numeric_limits<double>::infinity();
        metric.histogram.bucket.push_back({metric.histogram.sample_count, bound});
    }
    counts.metric.push_back(metric);
    ours.begin("h_seconds", "histogram", "a histogram");
    ours.histogram(Exposition::labels({{"queue", "jobs"}}), histogram, 1e9);

    // The order within a histogram is free, and so is the way a number is written.
    const auto normal = [](const std::string& text) {
        std::multiset<std::string> all;
        for (const std::string& line : lines_of(text)) {
            const std::size_t space = line.rfind(' ');
            std::string name = line.substr(0, space);
            std::smatch bound;
            if (std::regex_search(name, bound, std::regex("le=\"([0-9.e-]+)\"")))
                name = bound.prefix().str() + std::to_string(std::stod(bound[1])) + bound.suffix().str();
            const bool number = !line.starts_with("#");
            all.insert(number ? name + " " + std::to_string(std::stod(line.substr(space))) : line);
        }
        return all;
    };
    EXPECT_EQ(normal(ours.take()), normal(prometheus::TextSerializer().Serialize({gauge, counts})));
}

TEST(Exposition, WritesNumbersAsPeopleDo) {
    Exposition page;
    page.begin("h", "histogram", "");
    page.histogram("", TimeHistogram(), 1e9);
    page.sample("", 1e-9);
    page.sample("", 123456789.25);
    page.sample("", 1e300);
    const std::string text = page.take();
    for (const char* bound : {"0.0001", "0.00025", "0.075", "7.5", "60", "+Inf"}) {
        EXPECT_THAT(text, HasSubstr("h_bucket{le=\"" + std::string(bound) + "\"} 0\n"));
    }
    EXPECT_THAT(text, HasSubstr("h 1e-09\nh 123456789.25\nh 1e+300\n"));
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
