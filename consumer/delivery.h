// One DELIVER in the consumer's memory: its two body slices, and per message whether it is still held here. Every
// Message shares its Delivery, so bodies live as long as the last Message of it.
//
// Threads: what parse() sets is constant and free for all; the rest is guarded by the mutex of the LeaseOwner.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "proto/base/slice.h"
#include "proto/frame.h"
#include "proto/telpher.pb.h"
#include "telpher/error.h"
#include "telpher/options.h"

namespace telpher::consumer {

class Delivery;
struct Decision;

/// Who takes the verdicts of messages. Thread-safe; outlives every Message through its Delivery.
class LeaseOwner {
public:
    virtual ~LeaseOwner() = default;
    /// Takes the verdict on message `index` in the background.
    virtual void settle(Delivery& delivery, std::uint32_t index, const Decision& decision) noexcept = 0;
    /// Acks message `index` and waits until that is committed.
    virtual Result<void> ack_confirmed(Delivery& delivery, std::uint32_t index, Millis timeout) = 0;
    virtual Result<void> extend(const Delivery& delivery, std::uint32_t index, Millis lease, Millis timeout) = 0;
};

class Delivery {
public:
    /// Checks the lengths against the records. kProtocol if they do not fit together.
    static Result<std::shared_ptr<Delivery>> parse(const v1::Deliver& header, Slice lengths, Slice records,
                                                   std::shared_ptr<LeaseOwner> owner);
    Delivery(const Delivery&) = delete;
    Delivery& operator=(const Delivery&) = delete;
    ~Delivery() = default;

    [[nodiscard]] std::uint64_t first() const { return first_; }
    /// Offsets it spans; some of them may have been left out, as they are done.
    [[nodiscard]] std::uint32_t count() const { return count_; }
    [[nodiscard]] std::uint32_t messages() const { return messages_; }
    [[nodiscard]] bool left_out(std::uint32_t index) const { return messages_ < count_ && length(index) == 0; }
    /// Offsets just before message `index` that were left out.
    [[nodiscard]] std::uint32_t left_out_before(std::uint32_t index) const;
    [[nodiscard]] std::uint64_t end() const { return first_ + count_; }
    [[nodiscard]] std::uint32_t number() const { return number_; }  ///< 1 = handed out for the first time.
    [[nodiscard]] std::uint32_t attempt() const { return attempt_; }
    [[nodiscard]] std::uint64_t put_ms() const { return put_ms_; }
    [[nodiscard]] LeaseOwner& owner() const { return *owner_; }

    // --- guarded ---

    /// Messages nobody has taken yet begin here; count() = all were taken.
    [[nodiscard]] std::uint32_t cursor() const { return cursor_; }
    /// The record at the cursor, which moves on.
    Bytes advance();
    /// Message `index` is held no more. False if it was not.
    bool let_go(std::uint32_t index);
    [[nodiscard]] bool holds(std::uint32_t index) const { return (gone(index) & 1U) == 0; }
    [[nodiscard]] std::uint32_t held() const { return held_; }
    /// What the broker counted for one message; the rest of the division goes with the first.
    [[nodiscard]] std::uint64_t charge(std::uint32_t index) const;
    [[nodiscard]] std::uint64_t charge() const { return charge_; }

private:
    friend class DeliveryBuffer;
    Delivery() = default;

    [[nodiscard]] std::uint32_t length(std::uint32_t index) const;
    [[nodiscard]] std::uint64_t gone(std::uint32_t index) const {
        return (count_ <= 64 ? gone_few_ : gone_many_[index / 64]) >> (index % 64);
    }

    [[nodiscard]] std::uint64_t& word(std::uint32_t index) { return count_ <= 64 ? gone_few_ : gone_many_[index / 64]; }
    [[nodiscard]] static std::uint64_t bit(std::uint32_t index) { return std::uint64_t{1} << (index % 64); }

    std::shared_ptr<LeaseOwner> owner_;
    Slice lengths_;
    Slice records_;
    std::uint64_t first_ = 0;
    std::uint64_t put_ms_ = 0;
    std::uint64_t charge_ = 0;
    std::uint32_t count_ = 0;
    std::uint32_t messages_ = 0;
    std::uint32_t number_ = 0;
    std::uint32_t attempt_ = 0;

    std::uint32_t cursor_ = 0;
    std::uint32_t held_ = 0;
    std::size_t record_at_ = 0;             ///< Of the record at the cursor.
    std::uint64_t gone_few_ = 0;            ///< Bits, if there are at most 64 messages;
    std::vector<std::uint64_t> gone_many_;  ///< otherwise here.
    Delivery* previous_ = nullptr;          ///< In the buffer's list of deliveries with held messages.
    Delivery* next_ = nullptr;
};

}  // namespace telpher::consumer
