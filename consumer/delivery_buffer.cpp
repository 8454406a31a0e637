#include "consumer/delivery_buffer.h"

#include <algorithm>

#include "proto/base/check.h"

namespace telpher::consumer {

void DeliveryBuffer::push(std::shared_ptr<Delivery> delivery) {
    buffered_ += delivery->messages();
    buffered_bytes_ += delivery->charge();
    link(*delivery);
    line_.push_back(std::move(delivery));
}

bool DeliveryBuffer::take(Taken& out) {
    while (!line_.empty()) {
        Delivery& front = *line_.front();
        if (front.cursor() == front.count()) {
            line_.pop_front();
            continue;
        }
        const std::uint32_t index = front.cursor();
        const Bytes record = front.advance();
        if (!front.holds(index)) continue;
        --buffered_;
        buffered_bytes_ -= front.charge(index);
        ++handled_;
        out.index = index;
        out.record = record;
        if (front.cursor() == front.count()) {
            out.delivery = std::move(line_.front());
            line_.pop_front();
        } else {
            out.delivery = line_.front();
        }
        return true;
    }
    return false;
}

bool DeliveryBuffer::settle(Delivery& delivery, std::uint32_t index) {
    if (!delivery.holds(index)) return false;
    let_go(delivery, index);
    return true;
}

// The counts follow from where the cursor is.
void DeliveryBuffer::let_go(Delivery& delivery, std::uint32_t index) {
    if (!delivery.let_go(index)) return;
    if (index < delivery.cursor()) {
        --handled_;
    } else {
        --buffered_;
        buffered_bytes_ -= delivery.charge(index);
    }
    if (delivery.held() == 0) unlink(delivery);
}

// Lets [from, to) of `delivery` go, and says what was held of it.
void DeliveryBuffer::drop(Delivery& delivery, std::uint32_t from, std::uint32_t to, std::vector<frame::Run>& dropped) {
    for (std::uint32_t i = from; i < to; ++i) {
        if (!delivery.holds(i)) continue;
        const std::uint64_t offset = delivery.first() + i;
        if (!dropped.empty() && dropped.back().first + dropped.back().count == offset &&
            dropped.back().value == delivery.number()) {
            ++dropped.back().count;
        } else {
            dropped.push_back({offset, 1, delivery.number()});
        }
        let_go(delivery, i);
    }
}

namespace {

/// Calls f(from, to) with the indices of `delivery` that `run` covers.
template <class F>
void overlap(const Delivery& delivery, const frame::Run& run, F&& f) {
    const std::uint64_t from = std::max(run.first, delivery.first());
    const std::uint64_t to = std::min(run.first + run.count, delivery.end());
    if (from < to)
        f(static_cast<std::uint32_t>(from - delivery.first()), static_cast<std::uint32_t>(to - delivery.first()));
}

/// The first of `runs` that ends after `offset`.
auto first_after(std::span<const frame::Run> runs, std::uint64_t offset) {
    return std::upper_bound(runs.begin(), runs.end(), offset,
                            [](std::uint64_t at, const frame::Run& run) { return at < run.first + run.count; });
}

}  // namespace

std::vector<frame::Run> DeliveryBuffer::recall(std::span<const frame::Run> runs) {
    std::vector<frame::Run> dropped;
    for (const auto& delivery : line_) {
        for (auto run = first_after(runs, delivery->first()); run != runs.end() && run->first < delivery->end();
             ++run) {
            if (run->value != delivery->number()) continue;
            overlap(*delivery, *run, [&](std::uint32_t from, std::uint32_t to) {
                drop(*delivery, std::max(from, delivery->cursor()), to, dropped);
            });
        }
    }
    return dropped;
}

std::vector<frame::Run> DeliveryBuffer::recall_all() {
    std::vector<frame::Run> dropped;
    for (const auto& delivery : line_) drop(*delivery, delivery->cursor(), delivery->count(), dropped);
    TELPHER_CHECK(buffered_ == 0 && buffered_bytes_ == 0);
    line_.clear();
    return dropped;
}

void DeliveryBuffer::lose(std::span<const frame::Run> ranges) {
    std::vector<frame::Run> dropped;
    for (Delivery* d = head_; d != nullptr;) {
        Delivery* const next = d->next_;  // letting the last message go takes d out of the list
        for (auto run = first_after(ranges, d->first()); run != ranges.end() && run->first < d->end(); ++run)
            overlap(*d, *run, [&](std::uint32_t from, std::uint32_t to) { drop(*d, from, to, dropped); });
        d = next;
    }
}

void DeliveryBuffer::link(Delivery& delivery) {
    delivery.previous_ = tail_;
    (tail_ != nullptr ? tail_->next_ : head_) = &delivery;
    tail_ = &delivery;
}

void DeliveryBuffer::unlink(Delivery& delivery) {
    (delivery.previous_ != nullptr ? delivery.previous_->next_ : head_) = delivery.next_;
    (delivery.next_ != nullptr ? delivery.next_->previous_ : tail_) = delivery.previous_;
    delivery.previous_ = delivery.next_ = nullptr;
}

}  // namespace telpher::consumer
