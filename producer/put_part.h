// The puts of one queue by one client: user threads append to the batcher and wait; the engine thread seals, sends,
// sends again after a reconnect, and hands out the verdicts. One per Queue, made with its first put.
//
// Every message gets a sequence of this client, from 0, in the order of the puts. On the wire the sequences of a
// producer begin at base_: a broker that has forgotten the producer makes it begin anew with another one. A producer
// with a name is numbered by the broker instead, before the first put: its sequences are the same here and there.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "producer/batcher.h"
#include "producer/dispatcher.h"
#include "producer/outcomes.h"
#include "producer/waiters.h"
#include "producer/window.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/session/channel.h"
#include "proto/session/engine.h"
#include "telpher/client.h"

namespace telpher::producer {

inline constexpr std::size_t kPutBytesMax =
    16 * limits::kMiB;                                      ///< Puts of a queue without an outcome: then put() waits.
inline constexpr std::size_t kPutBatchesMax = 1'024;        ///< The same in batches.
inline constexpr std::size_t kOutcomeRunsMax = 16 * 1'024;  ///< Runs of outcomes remembered for wait(ticket).

class PutPart final : public session::Part {
public:
    /// The engine outlives the part. `name`: of the producer; empty: none.
    explicit PutPart(session::Engine& engine, std::string name = {});

    // --- user threads: put_part.cpp ---

    Result<std::uint64_t> put(std::string_view body, Under under, const PutOptions& options);
    Result<Ticket> put_async(std::string_view body, const PutOptions& options);
    Result<std::vector<Confirmed>> put_many(std::span<const std::string_view> bodies, const PutOptions& options);
    Result<std::uint64_t> wait(Ticket ticket, Millis timeout);
    Result<void> flush(Millis timeout);
    void on_confirm(std::function<void(const Confirmed&)> callback);
    Result<void> drain(Instant deadline) override;
    Result<void> cancel();
    Result<std::uint64_t> next_sequence(Millis timeout);

    // --- engine thread: put_part_engine.cpp ---

    void on_connected(session::Wire& wire, const session::Connected& connected, Instant now) override;
    void on_disconnected(Instant now) override;
    void on_failed(const Error& error) override;
    void on_close() override;
    Result<void> on_frame(const session::Frame& frame, Instant now) override;
    Instant do_work(Instant now) override;
    [[nodiscard]] bool takes_confirms() const override { return true; }
    [[nodiscard]] bool idle() const override;

private:
    using Lock = std::unique_lock<std::mutex>;
    using Wake = Waiters::Wake;

    // User threads.
    [[nodiscard]] batch::RecordIn record_of(std::string_view body, const PutOptions& options) const;
    [[nodiscard]] Result<void> check(const batch::RecordIn& record) const;
    [[nodiscard]] bool has_room() const;
    Result<void> admit(Lock& lock, Instant deadline, const std::stop_token& stop);
    bool append(const batch::RecordIn& record, Under under);
    void wait_for(Waiter& waiter, const std::stop_token& stop);
    bool append_some(std::span<const std::string_view>& bodies, const PutOptions& options, Waiter& waiter);
    void give_up_rest(std::size_t count, Waiter& waiter, const Error& error);

    // Under the mutex, any thread.
    void decide(const Confirmed& run, Wake& wake);
    void decide(Range range, Code code, Wake& wake);
    void tell_fresh(Wake& wake);
    void decided(std::uint64_t below_before, Wake& wake);
    [[nodiscard]] std::optional<Error> take_refusal();

    // Engine thread.
    void drop_decided();
    void drop_too_large();
    void open_producer();
    void on_producer_opened(const Result<const session::Frame*>& answer);
    void on_refused(const Error& error);
    void begin_at(std::uint64_t sequence);
    void give_up_name(const Error& error);
    [[nodiscard]] bool had_verdicts() const;
    void start_over();
    void pump();
    void send_put(Window::Batch& batch);
    std::optional<Batcher::Unsent> take_batch();
    Result<void> on_confirmed(const v1::Confirm& confirm);
    [[nodiscard]] Result<std::vector<Confirmed>> verdicts_of(const v1::Confirm& confirm) const;
    void refuse_all(Code unsent, Code sent);
    void expire(Instant now);
    void cancel(Waiter& waiter, Instant now, Wake& wake);
    void give_up(Waiter& waiter, Wake& wake);
    void forget_cancels(std::uint64_t below);
    void send_cancels();
    [[nodiscard]] Instant patience_end(const Waiter& waiter) const;
    void mirror_window();

    session::Engine& engine_;
    const std::string name_;

    mutable std::mutex mutex_;
    std::condition_variable_any room_;  // the window has room again, or there will never be any
    Batcher batcher_;                   // guarded by mutex_, as all down to the empty line
    Outcomes outcomes_;
    Waiters waiters_;
    std::uint64_t begin_ = 0;       // sequence of the first put
    std::uint64_t next_ = 0;        // sequence of the next put
    bool numbered_ = true;          // begin_ is known
    std::size_t window_bytes_ = 0;  // of window_, mirrored
    std::size_t window_batches_ = 0;
    bool wants_any_ = false;        // the engine would send whatever comes
    bool wants_full_ = false;       // the engine would send a full batch
    std::optional<Error> failure_;  // nothing works any more
    std::optional<Error> refusal_;  // the first one since flush() that no waiting put was told
    std::unique_ptr<Dispatcher> dispatcher_;
    std::vector<Confirmed> fresh_;  // scratch

    Window window_;  // engine thread, as all below
    session::Wire* wire_ = nullptr;
    ProducerId producer_;
    std::uint64_t base_ = 0;        // sequence 0 of the producer on the wire
    bool opening_ = false;          // OPEN_PRODUCER is on its way
    bool producer_open_ = false;    // on this connection
    bool name_lost_ = false;        // somebody else has it, or nobody: this part puts no more
    bool confirmed_ = false;        // a confirm came since the last part-filled batch went
    Instant now_;                   // of the latest callback
    Instant retry_at_;              // OPEN_PRODUCER was refused: not before
    Instant lost_at_;               // when the connection went
    std::vector<Range> cancels_;    // asked for, or to be asked for, without a verdict yet
    std::size_t cancels_sent_ = 0;  // on this connection: the first so many of them
};

}  // namespace telpher::producer
