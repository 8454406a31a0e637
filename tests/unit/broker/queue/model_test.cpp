// Queue must do exactly what ReferenceQueue does, call by call, over random histories, and come back from its log as it
// was. TELPHER_SEED repeats a run, TELPHER_SEQUENCES sets how many histories; RC_PARAMS works as always.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "history.h"
#include "tests/support/seed.h"

namespace telpher::queue {
namespace {

constexpr int kCommandsMax = 300;

TEST(QueueModel, does_what_one_object_per_message_would_do) {
    const std::uint64_t sequences = test::count_from_env("TELPHER_SEQUENCES", 10'000);
    const std::string parameters =
        "seed=" + std::to_string(test::test_seed()) + " max_success=" + std::to_string(sequences);
    ::setenv("RC_PARAMS", parameters.c_str(), 0);
    const auto number = rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::uint64_t>());
    const auto commands = rc::gen::resize(kCommandsMax, rc::gen::container<std::vector<std::uint64_t>>(number));
    EXPECT_TRUE(rc::check("Queue is ReferenceQueue", [&] {
        const std::uint64_t start = *number;
        History history(start);
        for (const std::uint64_t command : *commands) history.step(command);
    }));
}

}  // namespace
}  // namespace telpher::queue
