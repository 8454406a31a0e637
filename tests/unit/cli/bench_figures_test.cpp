#include <gtest/gtest.h>

#include "cli/bench.h"

namespace telpher::cli {
namespace {

TEST(BenchFigures, PercentileIsARankOfTheSorted) {
    std::vector<double> values{5, 1, 4, 2, 3};
    EXPECT_EQ(percentile(values, 0.5), 3);
    EXPECT_EQ(percentile(values, 0.99), 5);
    EXPECT_EQ(percentile(values, 0), 1);
    std::vector<double> none;
    EXPECT_EQ(percentile(none, 0.5), 0);
}

TEST(BenchFigures, MedianIsAWholeRun) {
    const std::vector<Json> runs{{{"rate", 9}, {"cpu", 1}}, {{"rate", 5}, {"cpu", 2}}, {{"rate", 7}, {"cpu", 3}}};
    EXPECT_EQ(median_by(runs, "rate")["cpu"], 3);
    EXPECT_EQ(median_by({runs[0]}, "rate")["cpu"], 1);
}

TEST(BenchFigures, RolesAreToldTheSizesAndTheBroker) {
    BenchFlags flags;
    flags.messages = 7;
    flags.size = 64;
    command::Globals globals;
    globals.server = "tcp://h:1";
    EXPECT_EQ(role_words(flags, globals, "producer", "q"),
              (std::vector<std::string>{"bench", "--role", "producer", "--queue", "q", "--messages", "7", "--size",
                                        "64", "--server", "tcp://h:1"}));
}

}  // namespace
}  // namespace telpher::cli
