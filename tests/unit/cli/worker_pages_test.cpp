// The pages of a worker's HTTP port, against their documentation.
#include "consumer/worker_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <sstream>

namespace telpher::consumer {
namespace {

using testing::HasSubstr;

TEST(WorkerPages, MetricsAreThoseOfTheDocument) {
    std::map<std::string, std::string> written;
    std::istringstream lines(worker_metrics("jobs", {}));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string hash, type, name, kind;
        if (words >> hash >> type >> name >> kind && type == "TYPE") {
            EXPECT_TRUE(written.emplace(name, kind).second) << name;
        }
    }
    std::ifstream file(TELPHER_SOURCE_DIR "/docs/reference/worker-metrics.md");
    const std::string page{std::istreambuf_iterator<char>(file), {}};
    std::map<std::string, std::string> documented;
    const std::regex row(R"(\n\| `([a-z_]+)` \| (\w+) \| ([^|]*) \| ([^|]+) \|)");
    for (std::sregex_iterator at(page.begin(), page.end(), row), end; at != end; ++at)
        documented.emplace((*at)[1], (*at)[2]);
    EXPECT_EQ(written, documented);
}

TEST(WorkerPages, ReadyIsWhoTakesMessages) {
    WorkerBook book;
    const http::Pages pages = worker_pages("a \"queue\"", book);
    EXPECT_EQ(pages("/livez", {}).status, 200);
    EXPECT_EQ(pages("/readyz", {}).status, 503);
    LeaseTable table = *LeaseTable::create(4);
    book.began(1, table);
    EXPECT_EQ(pages("/readyz", {}).status, 503);
    table.set_phase(Phase::kTaking);
    table.set_connected(true);
    EXPECT_EQ(pages("/readyz", {}).status, 200);
    EXPECT_EQ(pages("/nowhere", {}).status, 404);
    const http::Answer metrics = pages("/metrics", {});
    EXPECT_EQ(metrics.status, 200);
    EXPECT_THAT(metrics.body, HasSubstr("telpher_worker_slots{queue=\"a \\\"queue\\\"\"} 4\n"));
    EXPECT_THAT(metrics.body,
                HasSubstr("telpher_worker_restarts_total{queue=\"a \\\"queue\\\"\",reason=\"hangup\"} 0\n"));
}

}  // namespace
}  // namespace telpher::consumer
