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

/// What somebody else does around the handlers of a pool, on their threads. Thread-safe.
class PoolHooks {
public:
    virtual ~PoolHooks() = default;
    /// Thread `thread` (0..threads - 1) has come.
    virtual void thread_begins(unsigned /*thread*/) {}
    /// Thread `thread` goes.
    virtual void thread_ends(unsigned /*thread*/) noexcept {}
    /// Before a thread asks for its next message; may wait.
    virtual void before_next() {}
    /// Before the handler is called; may wait. False: the message goes back unhandled.
    virtual bool begins(unsigned /*thread*/, const Message& /*message*/) { return true; }
    /// The handler's verdict, before the library has it.
    virtual void decided(unsigned /*thread*/, const Verdict& /*verdict*/) {}
    /// About a message that arrived: [first, first + count), delivered for the `delivery`th time. Engine thread.
    virtual void delivered(std::uint64_t /*first*/, std::uint32_t /*count*/, std::uint32_t /*delivery*/) {}
};

class HandlerPool {
public:
    using Handler = std::function<Verdict(Message&)>;
    static constexpr unsigned kThreadsMax = 1024;

    /// Throws std::invalid_argument if options.threads is not 1..kThreadsMax.
    HandlerPool(MessageSource& source, const RunOptions& options, const Handler& handler, const Clock& clock,
                PoolHooks* hooks = nullptr);

    /// Handles until the end of the source, a stop, idle or messages_max; every handler that was started has finished
    /// when it returns. Throws std::system_error if a thread cannot be started.
    RunResult run();

private:
    void work(unsigned thread);
    void take_all(unsigned thread, RunResult& counts);
    Result<Message> next();
    void handle(unsigned thread, Message& message, RunResult& counts) const;
    Verdict ask_handler(unsigned thread, Message& message) const;
    void end(Code why);

    MessageSource& source_;
    const RunOptions& options_;
    const Handler& handler_;
    const Clock& clock_;
    PoolHooks& hooks_;
    std::atomic<std::int64_t> last_arrival_ns_;  // or of the end of a handler, or the start
    std::atomic<std::uint64_t> reserved_{0};     // messages taken or waited for, if messages_max
    std::atomic<std::uint64_t> handled_{0};
    std::atomic<bool> ended_{false};
    std::mutex mutex_;
    RunResult result_;  // guarded by mutex_
};

}  // namespace telpher::consumer
