// One worker process: a client of its own, a pool of handler threads, a warden, and the table of leases it shares with
// its supervisor. What handles the messages, commands or functions of this process, is the caller's.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "consumer/lease_table.h"
#include "consumer/pause_gate.h"
#include "consumer/solo.h"
#include "consumer/warden.h"
#include "telpher/client.h"

namespace telpher::consumer {

/// What a worker does, whatever handles its messages. A plain value.
struct WorkOptions {
    unsigned threads = 1;
    std::uint32_t prefetch = 0;
    Millis idle = kForever;
    bool forever = false;            ///< Goes on with the next generation of a queue that ended.
    std::uint64_t messages_max = 0;  ///< Then another process takes its place; 0 = never.
    Millis drain{60'000};
};

/// Handles messages in a worker process. Thread-safe.
class Handling {
public:
    virtual ~Handling() = default;
    /// On handler thread `thread` (0..threads - 1).
    virtual Verdict handle(unsigned thread, Message& message) = 0;
    /// Whether handlers run in this process, so that a crash of theirs is one of the process.
    [[nodiscard]] virtual bool in_process() const = 0;
    /// Limits of handlers in this process.
    [[nodiscard]] virtual Millis time_limit() const { return kForever; }
    [[nodiscard]] virtual std::uint64_t rss_max() const { return 0; }
    /// Handler thread `thread` goes; called on it.
    virtual void thread_ends(unsigned /*thread*/) noexcept {}
    /// Ends what runs, from another thread; verdicts after that are releases. Never called if in_process().
    virtual void hand_back() {}
    /// Ends what runs: the process is about to.
    virtual void kill_all() {}
};

class WorkerProcess {
public:
    using Open = std::function<Result<Queue>(const std::stop_token&)>;

    /// Takes the signals of this process from here on: make it before any other thread exists. `handling` and `table`
    /// outlive it.
    WorkerProcess(const WorkOptions& options, LeaseTable& table, Handling& handling,
                  std::function<void(const std::string&)> note);

    /// Opens the queue and handles its messages until the end, idleness, a signal, stop() or messages_max. What ended
    /// it (kOk: messages_max); an error if the queue could not be opened.
    Result<Code> run(const Open& open);

    [[nodiscard]] std::stop_token token() const { return warden_.token(); }
    void stop() { warden_.stop(); }
    /// A handler found that what it needs is away: the process pauses.
    void pause(Instant begun);
    void resume(Instant begun) { gate_.back(begun); }
    /// The queue, once it is open.
    [[nodiscard]] const Queue* queue() const { return queue_ ? &*queue_ : nullptr; }

private:
    class Hooks;
    bool wait_next_generation();

    const WorkOptions options_;
    LeaseTable& table_;
    Handling& handling_;
    const std::function<void(const std::string&)> note_;
    PauseGate gate_;
    Solo solo_;  // of handlers in this process
    Warden warden_;
    std::optional<Queue> queue_;
};

/// Settles for the dead worker of `table` on the queue. What a process does that was started for nothing else.
void inherit(Queue& queue, const LeaseTable& table, const std::function<void(const std::string&)>& note);

}  // namespace telpher::consumer
