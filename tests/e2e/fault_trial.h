// One run of the fault tests' workload on a broker of which one file system call fails, and what came of it: the broker
// is started again without the fault, wherever it ended, and its queues are emptied. Any thread; each trial has its own
// broker, folder and client.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/checker.h"
#include "tests/support/process.h"

namespace telpher::test {

/// When the broker that fails is started.
enum class Stage : std::uint8_t {
    kFresh,   ///< On no folder.
    kKilled,  ///< On the folder of one that was killed under the same workload.
};

/// The call that is to fail.
struct Fault {
    enum class Kind : std::uint8_t { kEio, kEnospc, kShort };
    std::uint64_t at = 0;  ///< Counted from 1; 0: none fails, all are listed.
    Kind kind = Kind::kEio;
    bool sticky = false;  ///< And every one after it.
    [[nodiscard]] std::string text() const;
};

/// A call that the broker made, as the shim reports it.
struct FileCall {
    std::uint64_t number = 0;
    std::string name, path;
    /// What is called on which sort of file, the same for each segment, each checkpoint and so on.
    [[nodiscard]] std::string sort() const;
    [[nodiscard]] bool writes() const { return name.find("write") != std::string::npos; }
};

/// What the shim reported to that file.
std::vector<FileCall> read_report(const std::filesystem::path& path);

struct TrialOutcome {
    std::vector<FileCall> calls;       ///< If none was to fail.
    std::optional<FileCall> injected;  ///< The first that failed; nothing: the run made fewer.
    Ended ended;                       ///< How the broker ended that failed, by itself or by SIGTERM.
    bool by_itself = false;
    std::string log;                ///< What it said.
    std::vector<std::string> told;  ///< Errors that its client was told.
    std::vector<std::string> wrong;
    Verdict verdict;
    /// The broker, or the call's caller, said that something failed.
    [[nodiscard]] bool said_so() const;
};

TrialOutcome run_trial(Stage stage, const Fault& fault, std::uint64_t operations);

}  // namespace telpher::test
