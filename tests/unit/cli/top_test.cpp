// `telpher top`: rates, order, what fits the screen.
#include "cli/top.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace telpher::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

QueueStats queue(const std::string& name, std::uint64_t ready, std::uint64_t put, std::uint64_t acked) {
    QueueStats stats;
    stats.name = name;
    stats.maxsize = 100;
    stats.ready = ready;
    stats.put = put;
    stats.acked = acked;
    return stats;
}

std::vector<std::string> names(const std::vector<TopRow>& rows) {
    std::vector<std::string> names;
    for (const TopRow& row : rows) names.push_back(row.queue.name);
    return names;
}

TEST(Top, RatesAreWhatChangedInTheTime) {
    const auto rows = top_rows({queue("a", 0, 100, 50), queue("b", 0, 500, 0)},
                               {queue("a", 3, 300, 60), queue("b", 0, 10, 0), queue("c", 9, 700, 0)}, 2, TopKey::kName);
    EXPECT_THAT(names(rows), testing::ElementsAre("a", "b", "c"));
    EXPECT_DOUBLE_EQ(rows[0].in, 100);
    EXPECT_DOUBLE_EQ(rows[0].out, 5);
    EXPECT_DOUBLE_EQ(rows[1].in, 0) << "made anew";
    EXPECT_DOUBLE_EQ(rows[2].in, 0) << "not seen before";
}

TEST(Top, TheHighestFirstAndNamesRising) {
    const std::vector<QueueStats> now{queue("b", 5, 0, 0), queue("a", 5, 0, 0), queue("c", 50, 0, 0)};
    EXPECT_THAT(names(top_rows(now, now, 1, TopKey::kReady)), testing::ElementsAre("c", "a", "b"));
    EXPECT_EQ(top_key('b'), TopKey::kBlocked);
    EXPECT_FALSE(top_key('x').has_value());
    EXPECT_EQ(*parse_top_key("consumers"), TopKey::kConsumers);
    EXPECT_FALSE(parse_top_key("colour").has_value());
}

TEST(Top, TableFitsTheScreen) {
    const std::vector<QueueStats> now{queue("first", 50, 0, 0), queue("second", 5, 0, 0)};
    const auto rows = top_rows(now, now, 1, TopKey::kReady);
    EXPECT_THAT(top_table({}, rows, TopKey::kReady, false, 0), HasSubstr("second"));
    const std::string cut = top_table({}, rows, TopKey::kReady, false, 3);
    EXPECT_THAT(cut, HasSubstr("first"));
    EXPECT_THAT(cut, Not(HasSubstr("second")));
    EXPECT_EQ(std::count(cut.begin(), cut.end(), '\n'), 3);
    EXPECT_THAT(top_table({}, {}, TopKey::kReady, false, 1), HasSubstr("QUEUE"));
    EXPECT_EQ(top_json({}, rows)["queues"][0]["in"], 0.0);
}

}  // namespace
}  // namespace telpher::cli
