#include "tests/sim/sim_producer.h"

#include <algorithm>
#include <utility>

#include "proto/batch.h"

namespace telpher::sim {
namespace {

constexpr std::size_t kPutsMax = 6;
constexpr std::uint64_t kBatchMax = 12;

Slice seal(std::uint64_t producer, std::uint64_t first, const std::vector<Serial>& serials, WallTime wall) {
    batch::Builder builder;
    for (const Serial serial : serials) {
        const std::string payload = payload_of(serial);
        builder.append({.payload = as_bytes(payload), .key = std::nullopt, .headers = nullptr}, SIZE_MAX);
    }
    return builder.seal(ProducerId(producer), Sequence(first), wall);
}

}  // namespace

void SimProducer::opened() {
    ready_ = false;
    v1::OpenProducer open;
    open.set_req(request());
    open.set_handle(handle_);
    open.set_producer(producer_);
    send(v1::OP_OPEN_PRODUCER, open);
}

void SimProducer::forget() {
    producer_ = 0;
    lane_ = 0;
    next_ = 0;
    puts_.clear();
    serials_.clear();
    cancels_.clear();
}

void SimProducer::take(const Frame& frame) {
    if (frame.op == v1::OP_PRODUCER_OPENED) {
        producer_ = frame.as<v1::ProducerOpened>().producer();
        ready_ = true;
        if (session_is_new_) leave_out_cancelled();
        session_is_new_ = false;
        for (Put& put : puts_) {
            put.parked = false;
            for (const Item& item : put.items)
                world_.marks.hit_if(world_.oracle.placed(item.serial), Sometimes::kResent);
            send_put(put);
        }
        for (const Span& span : cancels_) send_cancel(span);
    } else if (frame.op == v1::OP_CONFIRM) {
        confirmed(frame.as<v1::Confirm>());
    } else if (frame.op == v1::OP_PARKED) {
        world_.marks.hit(Sometimes::kParked);
        const std::uint64_t first = frame.as<v1::Parked>().first_sequence();
        for (Put& put : puts_) put.parked = put.parked || put.first == first;
    } else if (frame.op != v1::OP_LIMIT) {
        unexpected(frame);
    }
}

void SimProducer::act() {
    if (!ready_ || world_.healing) return;
    const bool patient = world_.broker.clock().now() < patience_;
    if (puts_.size() < kPutsMax && !waits() && !patient && chance(60)) put_new();
    if (!puts_.empty() && chance(6)) cancel_some();
}

bool SimProducer::waits() const {
    return std::any_of(puts_.begin(), puts_.end(), [](const Put& put) { return put.parked; });
}

void SimProducer::put_new() {
    if (chance(3)) next_ += 1 + world_.random.below(3);  // holes are legal
    Put put;
    put.first = next_;
    if (lane_ == 0) lane_ = world_.oracle.new_lane();
    std::vector<Serial> serials;
    const std::uint64_t count = chance(30) ? 1 : 1 + world_.random.below(kBatchMax);
    for (std::uint64_t i = 0; i < count; ++i) {
        serials.push_back(world_.oracle.made(queue_, lane_, next_ + i));
        put.items.push_back({.serial = serials.back()});
    }
    serials_.resize(next_);
    serials_.insert(serials_.end(), serials.begin(), serials.end());
    next_ += count;
    put.body = seal(producer_, put.first, serials, world_.broker.clock().wall());
    send_put(put);
    puts_.push_back(std::move(put));
}

void SimProducer::send_put(const Put& put) {
    if (world_.oracle.telling()) {
        world_.oracle.note(spec_.name + ": producer " + std::to_string(producer_) + " sends " +
                           std::to_string(put.first) + "+" + std::to_string(put.items.size()));
    }
    v1::Put header;
    header.set_handle(handle_);
    header.set_known_below(puts_.empty() ? put.first : puts_.front().first);
    world_.work.puts += put.items.size();
    send(v1::OP_PUT, header, put.body);
}

void SimProducer::send_cancel(const Span& span) {
    if (world_.oracle.telling()) {
        world_.oracle.note(spec_.name + ": producer " + std::to_string(producer_) + " cancels " +
                           std::to_string(span.first) + "+" + std::to_string(span.end - span.first));
    }
    v1::Cancel cancel;
    cancel.set_handle(handle_);
    cancel.set_producer(producer_);
    cancel.set_first_sequence(span.first);
    cancel.set_count(static_cast<std::uint32_t>(span.end - span.first));
    send(v1::OP_CANCEL, cancel);
}

void SimProducer::cancel_some() {
    const Put& put = puts_[world_.random.below(puts_.size())];
    const std::uint64_t from = put.first + world_.random.below(put.items.size());
    cancels_.push_back({from, from + 1 + world_.random.below(put.end() - from)});
    send_cancel(cancels_.back());
}

void SimProducer::confirmed(const v1::Confirm& confirm) {
    const auto stored = frame::read_runs(confirm.stored(), SIZE_MAX);
    const auto refused = frame::read_runs(confirm.refused(), SIZE_MAX);
    if (!stored || !refused) return world_.oracle.violation("unexpected", "a malformed CONFIRM");
    for (const frame::Run& run : *stored) {
        for (std::uint64_t i = 0; i < run.count; ++i) give(run.first + i, Code::kOk, run.value + i);
    }
    for (const frame::Run& run : *refused) {
        for (std::uint64_t i = 0; i < run.count; ++i) give(run.first + i, static_cast<Code>(run.value), 0);
    }
    // What is decided and was never told is a hole.
    for (const Put& put : puts_) {
        for (std::size_t i = 0; i < put.items.size() && put.first + i < confirm.decided_below(); ++i) {
            if (!put.items[i].decided) give(put.first + i, Code::kCancelled, 0);
        }
    }
    retire();
}

void SimProducer::give(std::uint64_t sequence, Code code, std::uint64_t offset) {
    Item* item = nullptr;
    for (Put& put : puts_) {
        if (sequence >= put.first && sequence < put.end()) item = &put.items[sequence - put.first];
    }
    if (sequence >= serials_.size()) return;  // a hole at the end, or a cancel of what never was
    // A run of refusals may cover holes, which stand for no message.
    if (item == nullptr && code != Code::kOk) return;
    const Serial serial = serials_[sequence];
    if (code == Code::kOk) {
        world_.oracle.stored(serial, offset);
    } else {
        world_.oracle.refused(serial, code);
    }
    if (item == nullptr) return;
    item->cancelled = code == Code::kCancelled;  // an async queue that lost it may say so after it said it was stored
    if (std::exchange(item->decided, true)) return;
    world_.marks.hit_if(code == Code::kCancelled, Sometimes::kCancelled);
    world_.marks.hit_if(code == Code::kFull, Sometimes::kFull);
    world_.marks.hit_if(code == Code::kSealed, Sometimes::kSealed);
    world_.marks.hit_if(code == Code::kDiskFull, Sometimes::kDiskFull);
    if (code == Code::kDiskFull) refused_for_room_ = true;
    if (code == Code::kDiskFull || code == Code::kSealed)
        patience_ = world_.broker.clock().now() + std::chrono::milliseconds(100 + world_.random.below(1000));
    world_.marks.hit_if(code == Code::kOk && std::exchange(refused_for_room_, false), Sometimes::kDiskFullOver);
}

void SimProducer::retire() {
    const auto over = [](const Put& put) {
        return std::all_of(put.items.begin(), put.items.end(), [](const Item& item) { return item.decided; });
    };
    std::erase_if(puts_, over);
    std::erase_if(cancels_, [&](const Span& span) {
        return std::all_of(puts_.begin(), puts_.end(), [&](const Put& put) {
            for (std::uint64_t at = std::max(span.first, put.first); at < std::min(span.end, put.end()); ++at) {
                if (!put.items[at - put.first].decided) return false;
            }
            return true;
        });
    });
}

void SimProducer::leave_out_cancelled() {
    std::deque<Put> parts;
    for (const Put& put : puts_) {
        for (std::size_t i = 0; i < put.items.size();) {
            std::size_t end = i;
            std::vector<Serial> serials;
            while (end < put.items.size() && !put.items[end].cancelled) serials.push_back(put.items[end++].serial);
            if (end > i) {
                Put part;
                part.first = put.first + i;
                part.items.assign(put.items.begin() + static_cast<std::ptrdiff_t>(i),
                                  put.items.begin() + static_cast<std::ptrdiff_t>(end));
                part.body = serials.size() == put.items.size()
                                ? put.body
                                : seal(producer_, part.first, serials, world_.broker.clock().wall());
                parts.push_back(std::move(part));
            }
            i = std::max(end, i + 1);
        }
    }
    puts_ = std::move(parts);
    retire();
}

}  // namespace telpher::sim
