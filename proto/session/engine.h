// The client's engine: one thread that owns the connection to the broker and mends it, shared by all queues, producers and
// consumers of one Client. It lives as long as the Client or any Queue or Consumer made of it.
//
// User threads never touch the socket: they give work to a Part or a request and wake the engine (one eventfd write, only if it
// sleeps). Callbacks of parts and answers run on the engine thread and must not block. After fork() every call in the child
// fails with kForked, and the destructor there leaks what cannot be closed.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "proto/base/clock.h"
#include "proto/session/channel.h"
#include "proto/session/core.h"
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
};

class Engine {
public:
    /// Starts the thread. `transports` makes connections (its ZeroMQ context is made with the first one); `clock` outlives the engine.
    Engine(Core::Config config, std::unique_ptr<TransportFactory> transports, const Clock& clock);
    /// Says BYE, stops and joins the thread; fails every part and request that is left with kStopped.
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // --- any thread ---

    [[nodiscard]] const Clock& clock() const { return clock_; }
    /// kForked in a child of the process that made the engine, else ok.
    [[nodiscard]] Result<void> usable() const;
    /// The largest message the broker takes; the default until it said so.
    [[nodiscard]] std::size_t message_bytes_max() const { return core_.message_bytes_max(); }

    /// `part` has work: its do_work() is called soon. Cheap, and coalesced.
    void ready(Part& part);
    /// Runs `task` on the engine thread, in order with the others.
    void post(std::function<void()> task);

    /// A queue to be open on this and every later connection. Waits until it is open the first time.
    Result<std::shared_ptr<QueueLink>> open(const std::string& name, const QueueOptions& options, const CallOptions& call);
    /// `part` uses `link`: on_connected() follows as soon as the queue is open (at once if it is).
    void add(std::shared_ptr<QueueLink> link, std::shared_ptr<Part> part);
    /// `part` is not called any more once this returns; it had on_disconnected() if it was connected. Not from the engine thread.
    void remove(const std::shared_ptr<Part>& part);

    /// Sends `request` (its epoch, req and, with a link, handle are set here) and waits for the answer. Sent again after a
    /// reconnect, so the request must be idempotent. kTimeout, kStopped, kUnreachable (never connected), kForked, or the broker's code.
    template <class Reply, class Request>
    Result<Reply> call(v1::Op op, Request request, const CallOptions& options);

private:
    struct Call;
    Result<void> run_call(PendingRequest request, const CallOptions& options);
    void run();
    bool cycle();
    [[nodiscard]] Instant deadline_of(Millis timeout) const;

    const Clock& clock_;
    Core core_;                              // engine thread, except where it says so
    Wake wake_;
    std::mutex inbox_mutex_;
    std::vector<std::function<void()>> inbox_;           // guarded by inbox_mutex_
    std::vector<std::shared_ptr<Part>> ready_;           // guarded by inbox_mutex_
    std::vector<std::function<void()>> tasks_;           // engine thread: swapped with inbox_
    std::vector<std::shared_ptr<Part>> working_;         // engine thread: swapped with ready_
    std::atomic<bool> stop_{false};
    int pid_;                                // of the process that made the engine
    std::thread thread_;
};

template <class Reply, class Request>
Result<Reply> Engine::call(v1::Op op, Request request, const CallOptions& options) {
    std::optional<Reply> reply;
    PendingRequest pending;
    pending.link = options.link;
    pending.encode = [op, &request](std::uint64_t req, Epoch epoch, HandleId handle) {
        request.set_req(req);
        request.set_epoch(epoch.value());
        if constexpr (requires { request.set_handle(0U); }) request.set_handle(handle.value());
        return frame::encode(op, request);
    };
    pending.answer = [&reply, &options](const Frame& frame) {
        reply = frame.as<Reply>();
        if (options.bodies != nullptr) options.bodies->assign(frame.bodies.begin(), frame.bodies.end());
    };
    pending.leave = op == v1::OP_JOIN;
    const auto done = run_call(std::move(pending), options);
    if (!done) return fail(done.error());
    return std::move(*reply);
}

}  // namespace telpher::session
