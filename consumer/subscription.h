// One attachment of a consumer to a queue, over all connections: what it holds, its credit, its verdicts on their way.
// Shared by the Consumer (or the Queue, for get()), every Message of it and the engine; when the engine lets go of it,
// or its owner closes it, messages that are still out settle into nothing.
//
// Threads: user threads take messages, settle and wait; the engine thread is the Part. One mutex guards all state but
// the wire, which is the engine thread's own. Frames are made under the mutex and sent after it. The engine is woken
// only when there is something to send, once until it did its work.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "consumer/credit.h"
#include "consumer/delivery_buffer.h"
#include "consumer/settle_batcher.h"
#include "proto/session/channel.h"
#include "proto/session/fork.h"
#include "telpher/client.h"

namespace telpher::consumer {

class Subscription final : public session::Part, public LeaseOwner {
public:
    /// How a subscription behaves when nobody takes its messages.
    enum class Kind : std::uint8_t {
        kConsumer,  ///< Attached as long as it lives; asks for one message ahead of the first next().
        kGetter,  ///< For get(): attached only while it is used. What nobody took within kGetterIdle of the last get()
                  ///< goes back.
    };
    static constexpr Duration kGetterIdle = std::chrono::milliseconds(50);

    struct Options {
        Kind kind = Kind::kConsumer;
        std::uint32_t prefetch = 0;
        std::string name;
        std::uint64_t messages_max = 0;  ///< Asks for no more than so many in all; 0 = no limit.
        bool keep_leases = false;        ///< Prolongs what is held, buffered or being handled, at a third of the lease.
        std::function<void(const Delivery&)> on_deliver = {};  ///< Engine thread, before anybody can take of it.
    };

    /// Gets do_work() called soon. Called by user threads, without the mutex; `waits`: the thread will wait for what
    /// comes of it.
    using WakeEngine = std::function<void(Subscription&, bool waits)>;

    /// Engine::wait. Called by a user thread without the mutex; calls `done` and `park` without it too.
    using WaitWithEngine =
        std::function<void(const std::function<bool()>& done, Instant deadline, const std::function<void()>& park)>;

    Subscription(Options options, const Clock& clock, WakeEngine wake, WaitWithEngine wait = {});

    // --- user threads ---

    /// The next message. kEmpty after `timeout`; kEnd or kLost until the next message comes; kStopped; kForked; or what
    /// failed for good.
    Result<Message> next(Millis timeout, const std::stop_token& stop = {});
    /// Ends every wait in next(), now and later, with kStopped; releases what nobody took.
    void stop();
    /// Waits until every verdict so far is committed. kLeaseLost: an ack since the last flush came too late.
    Result<void> flush(Millis timeout);
    /// stop(), then waits until all verdicts are committed, at most `timeout`. Verdicts after that go nowhere. False:
    /// the broker has not answered the ATTACH yet; the engine must keep this part, which will detach itself.
    bool close(Millis timeout);
    [[nodiscard]] Result<void> drain(Instant deadline) override;

    // --- LeaseOwner ---
    void settle(Delivery& delivery, std::uint32_t index, const Decision& decision) noexcept override;
    Result<void> ack_confirmed(Delivery& delivery, std::uint32_t index, Millis timeout) override;
    Result<void> extend(const Delivery& delivery, std::uint32_t index, Millis lease, Millis timeout) override;

    // --- engine thread ---
    void on_connected(session::Wire& wire, const session::Connected& connected, Instant now) override;
    void on_disconnected(Instant now) override;
    void on_failed(const Error& error) override;
    Result<void> on_frame(const session::Frame& frame, Instant now) override;
    Instant do_work(Instant now) override;
    [[nodiscard]] bool idle() const override;
    void on_close() override { detach(); }
    /// Tells the broker that this consumer leaves; it takes back what is held.
    void detach();

private:
    using Lock = std::unique_lock<std::mutex>;

    /// An ack somebody waits for.
    struct Watch {
        std::uint64_t round = 0;
        std::uint64_t offset = 0;
        bool lost = false;
    };
    /// A lease somebody wants longer.
    struct Extension {
        frame::Run run;  // value = delivery
        Millis lease{0};
        bool sent = false;
        std::optional<Result<void>> outcome;
    };
    /// Frames made under the mutex, to be sent after it.
    struct Outbox {
        std::vector<v1::Settle> settles;
        std::optional<v1::Credit> credit;
        std::vector<std::shared_ptr<Extension>> extensions;
        std::optional<v1::Attach> attach;
        std::optional<v1::Extend> keep;
        bool detach = false;
    };

    // subscription.cpp: user threads. What takes a Lock may let go of it for a while; the rest needs the mutex held.
    Result<DeliveryBuffer::Taken> take(Millis timeout, const std::stop_token& stop);
    Result<DeliveryBuffer::Taken> wait_take(Lock& lock, Instant deadline, const std::stop_token& stop);
    bool take_buffered(DeliveryBuffer::Taken& out);
    void forget_take();
    [[nodiscard]] bool all_taken() const { return options_.messages_max != 0 && taken_ == options_.messages_max; }
    void wake(Lock& lock, bool waits);
    bool wait_until(std::condition_variable& changed, Lock& lock, Instant deadline) const;
    Result<void> wait_round(Lock& lock, std::uint64_t round, Instant deadline);
    [[nodiscard]] Instant deadline_of(Millis timeout) const;
    [[nodiscard]] Load load() const;
    [[nodiscard]] std::optional<Error> over() const;
    [[nodiscard]] bool worth_a_wake() const;
    bool wait_arrived(Lock& lock, Instant deadline, const std::stop_token& stop);
    [[nodiscard]] bool getter() const { return options_.kind == Kind::kGetter; }
    [[nodiscard]] bool unsettled() const { return buffer_.handled() > 0 || !batcher_.all_confirmed(); }
    void release_buffered();
    void add_verdict(const Decision& decision, const Delivery& delivery, std::uint32_t index);

    // subscription_engine.cpp: the engine thread. Only send() and what it calls go without the mutex.
    void pump(Instant now);
    [[nodiscard]] Instant getter_turn(Instant now);
    void fill(Outbox& out, Instant now);
    void fill_attach(Outbox& out, Instant now);
    void fill_attached(Outbox& out, Instant now);
    void fill_keep(Outbox& out, Instant now);
    [[nodiscard]] bool keeps_leases() const { return options_.keep_leases && lease_ > Millis{0}; }
    void send(Outbox& out);
    void send_extension(const std::shared_ptr<Extension>& extension);
    void on_attached(const Result<const session::Frame*>& answer);
    void on_extended(Extension& extension, const Result<const session::Frame*>& answer);
    void forget_attachment();
    void fail_all(const Error& error);
    Result<void> on_deliver(const session::Frame& frame, Instant now);
    Result<void> on_settled(const v1::Settled& settled);
    Result<void> on_recall(const v1::Recall& recall);
    void on_end();
    void note_lost(const SettleFrame& frame, std::uint64_t first, std::uint64_t count);

    const Options options_;
    const Clock& clock_;
    const WakeEngine wake_;
    const WaitWithEngine wait_;
    const session::ForkGuard fork_guard_;

    mutable std::mutex mutex_;
    std::condition_variable arrived_;  // a message, the end, or a reason to stop
    std::condition_variable settled_;  // a round was done, an extension answered, or a reason to stop
    DeliveryBuffer buffer_;
    SettleBatcher batcher_;
    Credit credit_;
    CreditLimits delivered_;           // of this attachment so far
    std::uint64_t taken_ = 0;          // by next(), in all
    std::uint64_t newly_settled_ = 0;  // since the engine last looked: handled ones, not released ones
    std::uint32_t waiting_ = 0;        // threads in next()
    std::uint32_t settle_waiters_ = 0;
    std::uint64_t lost_acks_ = 0;  // since the last flush()
    std::uint32_t generation_ = 0;
    Millis lease_{0};            // of the queue, when it was opened on this connection
    Instant keep_at_;            // when the leases are prolonged next
    bool connected_ = false;     // the engine thread has a wire
    bool scheduled_ = false;     // the engine was woken and has not come yet
    bool flush_wanted_ = false;  // send verdicts although others are on their way
    bool stopped_ = false;
    bool closed_ = false;
    Code ended_ = Code::kOk;  // kEnd or kLost, until a message comes
    std::optional<Error> failure_;
    std::list<Watch*> watches_;
    std::list<std::shared_ptr<Extension>> extensions_;
    enum class State : std::uint8_t { kDetached, kAttaching, kAttached } state_ = State::kDetached;
    bool refresh_ = false;       // getter: attach anew, to learn whether the end is still the end
    Instant last_get_;           // getter: when a get() was last in here
    bool getter_armed_ = false;  // getter: do_work() comes by itself to see whether it is idle
    bool getter_idle_ = true;

    session::Wire* wire_ = nullptr;  // engine thread
    std::uint32_t sub_ = 0;          // engine thread: valid while kAttached
    Instant attach_at_;              // engine thread: not before
};

}  // namespace telpher::consumer
