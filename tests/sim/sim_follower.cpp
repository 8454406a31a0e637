#include "tests/sim/sim_follower.h"

#include <algorithm>

#include "proto/batch.h"

namespace telpher::sim {
namespace {

constexpr std::size_t kPutsMax = 5;
constexpr std::uint64_t kBatchMax = 8;

}  // namespace

void SimFollower::opened() { open_name(broken_ ? 0 : producer_); }

void SimFollower::open_name(std::uint64_t producer) {
    ready_ = false;
    producer_ = producer;
    v1::OpenProducer open;
    open.set_req(request());
    open.set_handle(handle_);
    open.set_producer(producer);
    open.set_name("row");
    send(v1::OP_OPEN_PRODUCER, open);
}

void SimFollower::forget() {
    producer_ = 0;
    broken_ = false;
    puts_.clear();
}

void SimFollower::take(const Frame& frame) {
    if (frame.op == v1::OP_PRODUCER_OPENED) {
        take_opened(frame.as<v1::ProducerOpened>());
    } else if (frame.op == v1::OP_CONFIRM) {
        const auto confirm = frame.as<v1::Confirm>();
        if (ready_ && confirm.producer() == producer_) confirmed(confirm);
    } else if (frame.op == v1::OP_PARKED) {
        const auto parked = frame.as<v1::Parked>();
        for (Put& put : puts_) put.parked = put.parked || put.first == parked.first_sequence();
    } else if (frame.op == v1::OP_ERROR &&
               frame.as<v1::Error>().code() == static_cast<std::uint32_t>(Code::kUnknownProducer) &&
               spec_.durability == Durability::kMemory) {
        puts_.clear();
        open_name(0);
    } else if (frame.op != v1::OP_LIMIT) {
        unexpected(frame);
    }
}

void SimFollower::take_opened(const v1::ProducerOpened& opened) {
    const bool anew = producer_ == 0;
    producer_ = opened.producer();
    ready_ = true;
    if (!anew) {
        for (Put& put : puts_) {
            put.parked = false;
            send_put(put);
        }
        return;
    }
    const std::uint64_t first = opened.next_sequence();
    if (first > row_.size()) return world_.oracle.violation("invented", "records of a name that nobody put");
    if (first < stored_ && spec_.durability == Durability::kFsync) {
        return world_.oracle.violation("lost", "record " + std::to_string(first) + " of a name");
    }
    for (std::uint64_t record = 0; record < first; ++record) world_.oracle.counted(row_[record]);
    puts_.clear();
    broken_ = false;
    next_ = first;
    stored_ = first;
}

void SimFollower::act() {
    if (!ready_) return;
    if (broken_ && puts_.empty() && !world_.healing) return open_name(0);
    if (world_.healing || broken_) return;
    if (chance(2)) {  // as another process would, while this one's puts are on their way
        world_.marks.hit(Sometimes::kNameTakenOver);
        return open_name(0);
    }
    const bool waits = std::any_of(puts_.begin(), puts_.end(), [](const Put& put) { return put.parked; });
    if (puts_.size() < kPutsMax && !waits && chance(60)) put_new();
}

void SimFollower::put_new() {
    const std::uint64_t count = 1 + world_.random.below(kBatchMax);
    if (lane_ == 0) lane_ = world_.oracle.new_lane();
    while (row_.size() < next_ + count) row_.push_back(world_.oracle.made(queue_, lane_, row_.size()));
    batch::Builder builder;
    for (std::uint64_t record = next_; record < next_ + count; ++record) {
        const std::string payload = payload_of(row_[record]);
        builder.append({.payload = as_bytes(payload), .key = std::nullopt, .headers = nullptr}, SIZE_MAX);
    }
    Put put;
    put.first = next_;
    put.end = next_ + count;
    put.body = builder.seal(ProducerId(producer_), Sequence(next_), world_.broker.clock().wall());
    next_ += count;
    send_put(put);
    puts_.push_back(std::move(put));
}

void SimFollower::send_put(const Put& put) {
    v1::Put header;
    header.set_handle(handle_);
    header.set_known_below(puts_.empty() ? put.first : puts_.front().first);
    world_.work.puts += put.end - put.first;
    send(v1::OP_PUT, header, put.body);
}

void SimFollower::confirmed(const v1::Confirm& confirm) {
    const auto stored = frame::read_runs(confirm.stored(), SIZE_MAX);
    const auto refused = frame::read_runs(confirm.refused(), SIZE_MAX);
    if (!stored || !refused) return world_.oracle.violation("unexpected", "a malformed CONFIRM");
    for (const frame::Run& run : *stored) {
        for (std::uint64_t i = 0; i < run.count; ++i) world_.oracle.stored(row_[run.first + i], run.value + i);
        stored_ = std::max(stored_, run.first + run.count);
    }
    for (const frame::Run& run : *refused) {
        broken_ = true;
        for (std::uint64_t record = run.first; record < run.first + run.count; ++record) {
            if (puts_.empty() || record < puts_.front().first) continue;  // told before
            world_.oracle.refused(row_[record], static_cast<Code>(run.value));
            row_[record] = world_.oracle.made(queue_, lane_, record);
        }
    }
    while (!puts_.empty() && puts_.front().end <= confirm.decided_below()) puts_.pop_front();
}

}  // namespace telpher::sim
