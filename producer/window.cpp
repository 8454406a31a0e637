#include "producer/window.h"

#include <algorithm>
#include <utility>

#include "proto/base/bytes.h"
#include "proto/base/check.h"
#include "proto/batch.h"

namespace telpher::producer {

void Window::keep(const std::function<std::vector<Range>(Range)>& undecided) {
    std::deque<Batch> kept;
    bytes_ = 0;
    for (const Batch& whole : batches_) {
        const auto view = batch::View::reopen(whole.bytes, false);
        TELPHER_CHECK(view.has_value());  // we made it
        for (const Range& range : undecided({whole.first, whole.end()})) {
            Batch part = whole;
            part.first = range.first;
            part.count = static_cast<std::uint32_t>(range.end - range.first);
            part.bytes = view->cut(static_cast<std::uint32_t>(range.first - whole.first), part.count);
            bytes_ += part.bytes.size();
            kept.push_back(std::move(part));
        }
    }
    batches_ = std::move(kept);
}

std::vector<Range> Window::larger_than(std::size_t message_bytes_max) const {
    std::vector<Range> larger;
    for (const Batch& batch : batches_) {
        if (batch.bytes.size() <= message_bytes_max) continue;
        const auto view = batch::View::reopen(batch.bytes, false);
        TELPHER_CHECK(view.has_value());  // we made it
        const Slice lengths = view->lengths(0, batch.count);
        for (std::uint32_t i = 0; i < batch.count; ++i) {
            const auto bytes = load_le<std::uint32_t>(lengths.bytes().data() + i * sizeof(std::uint32_t));
            if (bytes > message_bytes_max) larger.push_back({batch.first + i, batch.first + i + 1});
        }
    }
    return larger;
}

void Window::connected(std::uint64_t byte_limit, std::size_t in_flight_max) {
    for (Batch& batch : batches_) batch.state = Batch::State::kUnsent;
    unsent_ = batches_.size();
    parked_ = 0;
    asked_ = 0;
    sent_bytes_ = 0;
    byte_limit_ = byte_limit;
    in_flight_max_ = std::max<std::size_t>(in_flight_max, 1);
}

void Window::raise_limit(std::uint64_t byte_limit) { byte_limit_ = std::max(byte_limit_, byte_limit); }

void Window::push(Batch batch) {
    TELPHER_CHECK(batches_.empty() || batches_.back().end() <= batch.first);
    bytes_ += batch.bytes.size();
    batch.state = Batch::State::kUnsent;
    batches_.push_back(std::move(batch));
    ++unsent_;
}

Window::Batch* Window::next() {
    if (!may_send()) return nullptr;
    if (asked_ > 0) {
        const auto asked = std::find_if(batches_.begin(), batches_.end(),
                                        [](const Batch& batch) { return batch.state == Batch::State::kAsked; });
        return &*asked;
    }
    if (unsent_ == 0 || parked_ > 0 || batches_.size() - unsent_ >= in_flight_max_) return nullptr;
    return &batches_[batches_.size() - unsent_];
}

bool Window::takes_new() const {
    return may_send() && unsent_ == 0 && asked_ == 0 && parked_ == 0 && batches_.size() < in_flight_max_;
}

void Window::sent(Batch& batch) {
    --(batch.state == Batch::State::kAsked ? asked_ : unsent_);
    batch.state = Batch::State::kSent;
    sent_bytes_ += batch.bytes.size();
}

Window::Batch* Window::find(std::uint64_t first) {
    const auto found = std::lower_bound(batches_.begin(), batches_.end(), first,
                                        [](const Batch& batch, std::uint64_t wanted) { return batch.first < wanted; });
    return found == batches_.end() || found->first != first ? nullptr : &*found;
}

void Window::parked(std::uint64_t first) {
    Batch* batch = find(first);
    if (batch == nullptr || batch->state != Batch::State::kSent) return;
    batch->state = Batch::State::kParked;
    ++parked_;
}

void Window::asked(std::uint64_t first) {
    Batch* batch = find(first);
    if (batch == nullptr || batch->state == Batch::State::kUnsent || batch->state == Batch::State::kAsked) return;
    if (batch->state == Batch::State::kParked) --parked_;
    batch->state = Batch::State::kAsked;
    ++asked_;
}

void Window::decided(std::uint64_t below) {
    while (!batches_.empty() && batches_.front().end() <= below) {
        switch (batches_.front().state) {
            case Batch::State::kUnsent:
                --unsent_;
                break;
            case Batch::State::kParked:
                --parked_;
                break;
            case Batch::State::kAsked:
                --asked_;
                break;
            case Batch::State::kSent:
                break;
        }
        bytes_ -= batches_.front().bytes.size();
        batches_.pop_front();
    }
}

void Window::clear() {
    batches_.clear();
    bytes_ = 0;
    unsent_ = 0;
    parked_ = 0;
    asked_ = 0;
}

std::uint64_t Window::first(std::uint64_t otherwise) const {
    return batches_.empty() ? otherwise : batches_.front().first;
}

bool Window::is_sent(std::uint64_t sequence) const {
    const auto next = std::upper_bound(batches_.begin(), batches_.end(), sequence,
                                       [](std::uint64_t wanted, const Batch& batch) { return wanted < batch.first; });
    if (next == batches_.begin()) return false;
    const Batch& batch = *std::prev(next);
    return sequence < batch.end() && batch.state != Batch::State::kUnsent;
}

}  // namespace telpher::producer
