// The client's engine: one thread that owns the connection to the broker and mends it, shared by all queues, producers
// and consumers of one Client. It lives as long as the Client or any Queue or Consumer made of it.
//
// User threads never touch the socket: they give work to a Part or make a call, and wake the engine (one eventfd write,
// only if it sleeps). Callbacks of parts and answers run on the engine thread and must not block. After fork() every
// call in the child fails with kForked, and the destructor there leaks what cannot be closed.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/eager_poll.h"
#include "proto/frame.h"
#include "proto/session/channel.h"
#include "proto/session/core.h"
#include "proto/session/fork.h"
#include "proto/session/leading.h"
#include "proto/session/transport.h"
#include "proto/session/wake.h"
#include "telpher/options.h"

namespace telpher::session {

/// How long a call may take and what may end it.
struct CallOptions {
    Millis timeout = kForever;
    std::stop_token stop;
    std::shared_ptr<QueueLink> link;       ///< The request names this queue's handle: it waits until the queue is open.
    std::vector<Slice>* bodies = nullptr;  ///< Where the answer's bodies go.
    Code done_before = Code::kOk;          ///< As in PendingRequest.
};

class Engine {
public:
    struct Config {
        Core::Config core;
        Millis connect_timeout{10'000};  ///< How long a call waits for the very first connection.
    };

    /// Starts the thread. `clock` outlives the engine.
    Engine(Config config, std::unique_ptr<TransportFactory> transports, const Clock& clock);
    ~Engine();  ///< close()
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // --- any thread but the engine's ---

    /// Says BYE, stops and joins the thread; every part and call that is left fails with kStopped, and so do later
    /// ones.
    void close();

    /// Sends `request` (its epoch, req and, with a link, handle are set here) and waits for the answer. Sent again
    /// after a reconnect, so the request must be idempotent. kTimeout, kStopped, kUnreachable (never connected),
    /// kForked, or the broker's code.
    template <class Reply, class Request>
    Result<Reply> call(v1::Op op, Request request, const CallOptions& options);

    /// A queue to be open on this and every later connection; waits until it is open the first time.
    Result<std::shared_ptr<QueueLink>> open(const std::string& name, const QueueOptions& options,
                                            const CallOptions& call);
    /// `part` uses `link`: on_connected() follows as soon as the queue is open (at once if it is).
    void add(std::shared_ptr<QueueLink> link, std::shared_ptr<Part> part);
    /// `part` is not called any more once this returns; it had on_disconnected() if it was connected.
    void remove(const std::shared_ptr<Part>& part);
    /// Nobody holds the queue any more: it is closed when its parts are idle.
    void release(std::shared_ptr<QueueLink> link);
    /// All parts that are added now.
    [[nodiscard]] std::vector<std::shared_ptr<Part>> parts();

    // --- any thread ---

    [[nodiscard]] const Clock& clock() const { return clock_; }
    /// When something that starts now and may take `timeout` must be over.
    [[nodiscard]] Instant deadline_of(Millis timeout) const;
    /// True in a child of the process that made the engine: fail with kForked, touch nothing.
    [[nodiscard]] bool forked() const { return fork_guard_.forked(); }
    /// The largest message the broker takes; the default until it said so.
    [[nodiscard]] std::size_t message_bytes_max() const { return core_->message_bytes_max(); }

    /// `part` has work: its do_work() is called soon. Cheap, and coalesced.
    void ready(Part& part);
    /// The same for a thread that will wait for the outcome: it does the work itself if the engine sleeps, and saves
    /// two wake-ups.
    void drive(Part& part);
    /// Waits until `done` (asked without any lock) or `deadline`: for a moment in place of the engine's thread, if that
    /// dozes (Leading); then, if it is still not done, by `park`, which may return for any reason.
    void wait(const std::function<bool()>& done, Instant deadline, const std::function<void()>& park);
    /// Runs `task` on the engine thread, in order with the others; false: the engine is closed.
    bool post(std::function<void()> task);

private:
    Result<void> run_call(PendingRequest request, const CallOptions& options);
    bool run_there(const std::function<void()>& task);
    void run();
    void cycle(Core::Arrived arrived);
    [[nodiscard]] Core::Arrived sleep();
    void lead(const std::function<bool()>& done, Instant deadline);
    [[nodiscard]] Core::Arrived poll_until(Instant limit);
    [[nodiscard]] bool stopping();
    void leave();

    const Clock& clock_;
    const Millis connect_timeout_;
    const ForkGuard fork_guard_;
    std::mutex cycle_mutex_;      // the right to be the engine
    std::unique_ptr<Core> core_;  // guarded by cycle_mutex_, except where it says so
    Instant sleeps_until_;        // guarded by cycle_mutex_
    bool left_ = false;           // guarded by cycle_mutex_: nothing is sent any more
    std::unique_ptr<Wake> wake_;
    EagerPoll poll_;  // of who polls: the engine's thread or a leader
    Leading leading_;
    std::mutex inbox_mutex_;
    bool stop_ = false;                           // guarded by inbox_mutex_
    bool closed_ = false;                         // guarded by inbox_mutex_: the thread takes no more
    std::vector<std::function<void()>> inbox_;    // guarded by inbox_mutex_
    std::vector<std::shared_ptr<Part>> ready_;    // guarded by inbox_mutex_
    std::vector<std::function<void()>> tasks_;    // engine thread: swapped with inbox_
    std::vector<std::shared_ptr<Part>> working_;  // engine thread: swapped with ready_
    std::unique_ptr<std::thread> thread_;
};

template <class Reply, class Request>
Result<Reply> Engine::call(v1::Op op, Request request, const CallOptions& options) {
    std::optional<Reply> reply;
    PendingRequest pending;
    pending.op = op;
    pending.link = options.link;
    pending.leave = op == v1::OP_JOIN;
    pending.done_before = options.done_before;
    pending.encode = [op, &request](std::uint64_t req, Epoch epoch, [[maybe_unused]] HandleId handle) {
        request.set_req(req);
        request.set_epoch(epoch.value());
        if constexpr (requires { request.set_handle(0U); }) request.set_handle(handle.value());
        return frame::encode(op, request);
    };
    pending.answer = [&reply, &options](const Frame& frame) {
        reply = frame.as<Reply>();
        if (options.bodies != nullptr) options.bodies->assign(frame.bodies.begin(), frame.bodies.end());
    };
    if (const auto done = run_call(std::move(pending), options); !done) return fail(done.error());
    return reply ? std::move(*reply) : Reply{};  // none: it was done before
}

}  // namespace telpher::session
