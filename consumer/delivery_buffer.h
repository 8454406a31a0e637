// Everything a consumer holds: messages nobody has taken yet, in the order they came, and those taken that have no
// verdict. Pure; guarded by the subscription's mutex. Taking and settling a message cost O(1) and allocate nothing.
//
// A message is buffered (index at or after its delivery's cursor) or handled (before it) while its delivery holds it.
// It leaves by a verdict, a recall, or because the broker gave it to somebody else (lost).
//
// Invariant: the list has exactly the deliveries with held messages; each is alive, as a buffered message keeps it in
// the line and a handled one in its Message, which gives a verdict before it lets go.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "consumer/delivery.h"

namespace telpher::consumer {

class DeliveryBuffer {
public:
    struct Taken {
        std::shared_ptr<Delivery> delivery;
        std::uint32_t index = 0;
        Bytes record;
    };

    DeliveryBuffer() = default;
    DeliveryBuffer(const DeliveryBuffer&) = delete;
    DeliveryBuffer& operator=(const DeliveryBuffer&) = delete;

    void push(std::shared_ptr<Delivery> delivery);
    /// The oldest buffered message; false if there is none.
    bool take(Taken& out);
    /// A verdict on a taken message. False: it was lost meanwhile.
    bool settle(Delivery& delivery, std::uint32_t index);

    /// Lets buffered messages go that are in `runs` (rising; value = delivery); returns those.
    std::vector<frame::Run> recall(std::span<const frame::Run> runs);
    /// Lets everything buffered go; returns it, as runs with the delivery.
    std::vector<frame::Run> recall_all();
    /// The broker gave `ranges` (rising, any delivery) to somebody else: buffered ones vanish, handled ones are lost.
    void lose(std::span<const frame::Run> ranges);

    /// Calls f(run, handled) for what is held, delivery by delivery; value = delivery. With `over_holes` a run goes on
    /// over what its delivery left out.
    template <class F>
    void for_each_held(F&& f, bool over_holes = false) const;

    [[nodiscard]] std::uint64_t buffered() const { return buffered_; }
    [[nodiscard]] std::uint64_t buffered_bytes() const { return buffered_bytes_; }
    [[nodiscard]] std::uint64_t handled() const { return handled_; }

private:
    void let_go(Delivery& delivery, std::uint32_t index);
    void link(Delivery& delivery);
    void unlink(Delivery& delivery);
    void drop(Delivery& delivery, std::uint32_t from, std::uint32_t to, std::vector<frame::Run>& dropped);

    std::deque<std::shared_ptr<Delivery>> line_;
    Delivery* head_ = nullptr;
    Delivery* tail_ = nullptr;
    std::uint64_t buffered_ = 0;
    std::uint64_t buffered_bytes_ = 0;
    std::uint64_t handled_ = 0;
};

template <class F>
void DeliveryBuffer::for_each_held(F&& f, bool over_holes) const {
    for (const Delivery* d = head_; d != nullptr; d = d->next_) {
        for (std::uint32_t i = 0; i < d->count(); ++i) {
            if (!d->holds(i)) continue;
            const bool handled = i < d->cursor();
            const std::uint32_t until = handled ? d->cursor() : d->count();
            const std::uint32_t from = i;
            while (i < until && (d->holds(i) || (over_holes && d->left_out(i)))) ++i;
            f(frame::Run{d->first() + from, i - from, d->number()}, handled);
            --i;
        }
    }
}

}  // namespace telpher::consumer
