// The first start on a data directory that is not there, nor the folder it is to be in.
//
// Claim: before the log has its first record, the name of every folder that was made is durable: a power cut cannot
// take the folder with all that was confirmed.

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "tests/e2e/fault_trial.h"
#include "tests/support/temp_dir.h"

namespace telpher::test {
namespace {

TEST(DataDirMade, is_durable_before_the_log) {
    const TempDir dir;
    const auto report = dir.path() / "report";
    const auto data = dir.path() / "data";
    ProcessOptions options;
    options.env["LD_PRELOAD"] = program("telpher-io-fault-shim.so");
    options.env["IO_FAULT_DIR"] = dir.path();
    options.env["IO_FAULT_REPORT"] = report;
    options.env["IO_FAULT_TRACE"] = "1";
    Process broker(program("telpherd"),
                   {"--data-dir", data / "of" / "telpher", "--listen", "ipc://" + (dir.path() / "b.sock").string(),
                    "--http", "none"},
                   options);
    ASSERT_TRUE(broker.wait_for_output("ready", 20s)) << broker.errors();
    broker.signal(SIGTERM);
    ASSERT_TRUE(broker.wait(20s));

    const std::vector<FileCall> calls = read_report(report);
    const auto log =
        std::find_if(calls.begin(), calls.end(), [](const FileCall& call) { return call.path.ends_with(".seg"); });
    ASSERT_NE(log, calls.end());
    int made = 0;
    for (auto at = calls.begin(); at != log; ++at) {
        if (at->name != "mkdir") continue;
        ++made;
        const std::string parent = std::filesystem::path(at->path).parent_path();
        EXPECT_TRUE(
            std::any_of(at, log, [&](const FileCall& call) { return call.name == "fsync" && call.path == parent; }))
            << at->path << " is made, and " << parent << " is not synced";
    }
    EXPECT_EQ(made, 4) << "data, of, telpher, shard-0";
}

}  // namespace
}  // namespace telpher::test
