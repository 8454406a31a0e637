// How far a stream of puts is: one line that is redrawn on a terminal, one plain line each 10 s elsewhere. Rendering is
// pure; a ProgressReporter owns one thread and lives on the stack of the command.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "proto/base/clock.h"

namespace telpher {

/// Counters of a stream of puts. Messages, but for `done` and `whole`, whose unit only has to be the same.
struct PutCounters {
    std::uint64_t sent = 0;
    std::uint64_t confirmed = 0;
    std::uint64_t refused = 0;
    std::uint64_t done = 0;   ///< How much of the input is consumed.
    std::uint64_t whole = 0;  ///< All of the input; 0: not known.
    bool whole_is_messages = false;
    [[nodiscard]] std::uint64_t unconfirmed() const { return sent - confirmed - refused; }
};

struct Progress {
    PutCounters counters;
    double elapsed_s = 0;
    double blocked_s = 0;  ///< Time in which puts waited and none was confirmed.
    double rate = 0;       ///< Confirmed messages per second, lately.
};

/// "jobs  412,331/1,000,000  41% ████▏     88.1k/s  eta 6s  blocked 2.1s  unconfirmed 512"
std::string progress_bar(const std::string& queue, const Progress& progress);
/// "jobs: 412,331 confirmed, 88.1k/s, blocked 2.1s, unconfirmed 512"
std::string progress_text(const std::string& queue, const Progress& progress);

/// Turns samples of the counters into rates and blocked time. Pure: the time is passed in.
class ProgressMeter {
public:
    explicit ProgressMeter(Instant start) : start_(start), last_(start) {}
    Progress sample(const PutCounters& counters, Instant now);

private:
    Instant start_, last_;
    std::uint64_t last_confirmed_ = 0;
    double rate_ = 0;
    double blocked_s_ = 0;
};

/// Shows progress on stderr until destroyed.
class ProgressReporter {
public:
    /// `counters` is called on the reporter's thread.
    ProgressReporter(std::string queue, bool terminal, std::function<PutCounters()> counters);
    ~ProgressReporter();
    ProgressReporter(const ProgressReporter&) = delete;
    ProgressReporter& operator=(const ProgressReporter&) = delete;

private:
    void run(const std::stop_token& stop);
    void show(const Progress& progress) const;

    std::string queue_;
    bool terminal_;
    std::function<PutCounters()> counters_;
    std::jthread thread_;  // last: it uses the others
};

}  // namespace telpher
