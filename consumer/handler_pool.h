// The handler threads of Queue::run(): each takes a message, calls the handler, gives its verdict. Lives on the stack
// of run(), whose thread is the first handler thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>

#include "proto/base/clock.h"
#include "telpher/client.h"

namespace telpher::consumer {

/// Where handler threads get messages from. Thread-safe.
class MessageSource {
public:
    virtual ~MessageSource() = default;
    /// As Consumer::next().
    virtual Result<Message> next(Millis timeout) = 0;
    /// Ends every next(), now and later, with kStopped.
    virtual void stop() = 0;
};

class HandlerPool {
public:
    using Handler = std::function<Verdict(Message&)>;
    static constexpr unsigned kThreadsMax = 1024;

    /// Throws std::invalid_argument if options.threads is not 1..kThreadsMax.
    HandlerPool(MessageSource& source, const RunOptions& options, const Handler& handler, const Clock& clock);

    /// Handles until the end of the source, a stop, idle or messages_max; every handler that was started has finished
    /// when it returns. Throws std::system_error if a thread cannot be started.
    RunResult run();

private:
    void work();
    Result<Message> next();
    void handle(Message& message, RunResult& counts) const;
    Verdict ask_handler(Message& message) const;
    void end(Code why);

    MessageSource& source_;
    const RunOptions& options_;
    const Handler& handler_;
    const Clock& clock_;
    std::atomic<std::int64_t> last_arrival_ns_;  // or the start
    std::atomic<std::uint64_t> reserved_{0};     // messages taken or waited for, if messages_max
    std::atomic<std::uint64_t> handled_{0};
    std::atomic<bool> ended_{false};
    std::mutex mutex_;
    RunResult result_;  // guarded by mutex_
};

}  // namespace telpher::consumer
