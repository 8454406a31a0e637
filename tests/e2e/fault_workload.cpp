#include "tests/e2e/fault_workload.h"

#include <algorithm>
#include <set>

namespace telpher::test {
namespace {

constexpr Millis kLimit{3'000};
constexpr std::size_t kSmall = 200;
constexpr std::size_t kLarge = 150'000;
const std::string kQueue = "work";

QueueOptions queue_options() {
    QueueOptions options;
    options.maxsize = 100'000;
    options.max_attempts = 0;
    options.durability = Durability::kFsync;
    return options;
}

/// Refused for certain: the message is not in the queue.
bool refuses(Code code) {
    switch (code) {
        case Code::kFull:
        case Code::kSealed:
        case Code::kCancelled:
        case Code::kTimeout:
        case Code::kStopped:
        case Code::kTooLarge:
        case Code::kDeadlock:
        case Code::kDiskFull:
            return true;
        default:
            return false;
    }
}

}  // namespace

void FaultWorkload::record(Event event) {
    event.who = "w";
    event.time_ns = static_cast<std::int64_t>(history_.size()) + 1;
    history_.push_back(std::move(event));
}

bool FaultWorkload::told(const char* operation, const Error& error) {
    told_.push_back(std::string(operation) + ": " + error.message());
    return false;
}

void FaultWorkload::run(std::uint64_t operations, const std::function<bool()>& stopped) {
    ClientOptions options;
    options.server = server_;
    options.name = "faults";
    options.leave_timeout = Millis(100);
    Client client(options);
    auto queue = client.open(kQueue, queue_options(), kLimit);
    if (!queue) {
        told("open", queue.error());
        return;
    }
    for (std::uint64_t i = 0; i < operations && !stopped(); ++i) one_operation(client, *queue);
}

void FaultWorkload::one_operation(Client& client, Queue& queue) {
    const std::uint64_t dice = random_.below(100);
    if (dice < 30) return put(queue, kSmall);
    if (dice < 45) return put(queue, kLarge);
    if (dice < 55) return put_many(queue);
    if (dice < 95) return get(queue);
    make_or_remove(client);
}

std::string FaultWorkload::announce(std::uint64_t seq, std::size_t bytes) {
    std::string payload = make_payload("w", seq, bytes);
    record({.kind = Event::Kind::kPut, .producer = "w", .seq = seq, .hash = payload_hash(payload)});
    return payload;
}

void FaultWorkload::outcome(std::uint64_t seq, Code code, std::uint64_t id) {
    const auto kind = code == Code::kOk ? Event::Kind::kConfirmed
                      : refuses(code)   ? Event::Kind::kRefused
                                        : Event::Kind::kUnknown;
    record({.kind = kind, .producer = "w", .seq = seq, .id = code == Code::kOk ? id : 0});
}

void FaultWorkload::put(Queue& queue, std::size_t bytes) {
    const std::uint64_t seq = next_++;
    const std::string payload = announce(seq, bytes);
    const auto put = queue.put(payload, {.timeout = kLimit});
    if (!put) told("put", put.error());
    outcome(seq, put ? Code::kOk : put.error().code(), put.value_or(0));
}

void FaultWorkload::put_many(Queue& queue) {
    const std::uint64_t count = 2 + random_.below(20);
    std::vector<std::string> payloads;
    for (std::uint64_t i = 0; i < count; ++i) payloads.push_back(announce(next_ + i, kSmall));
    const std::vector<std::string_view> bodies(payloads.begin(), payloads.end());
    const auto runs = queue.put_many(bodies, {.timeout = kLimit});
    const std::uint64_t end = next_ + count;
    if (!runs) {
        told("put_many", runs.error());
        while (next_ < end) outcome(next_++, Code::kUnknown, 0);
        return;
    }
    for (const Confirmed& run : *runs) {
        for (std::uint32_t i = 0; i < run.count; ++i) outcome(next_++, run.code, run.id + i);
        if (run.code != Code::kOk) told("put_many", Error(run.code, "a run"));
    }
    if (next_ != end) wrong_.emplace_back("put_many: not every put has an outcome");
    next_ = end;
}

void FaultWorkload::get(Queue& queue) {
    auto message = queue.get(Millis(0));
    if (!message) {
        if (message.error().code() != Code::kEmpty) told("get", message.error());
        return;
    }
    const auto [producer, seq] = payload_name(message->text());
    record({.kind = Event::Kind::kDelivered,
            .producer = producer,
            .seq = seq,
            .hash = payload_hash(message->text()),
            .id = message->id(),
            .delivery = message->delivery()});
    settle(queue, *message);
}

void FaultWorkload::settle(Queue& queue, Message& message) {
    const std::uint64_t dice = random_.below(100);
    if (dice < 15) {
        message.nack(Millis(0));
    } else if (dice < 25) {
        message.release();
    } else {
        const std::uint64_t id = message.id();
        record({.kind = Event::Kind::kAck, .id = id});
        if (dice < 80) {
            const auto settled = message.ack_confirmed(kLimit);
            if (settled) return record({.kind = Event::Kind::kSettled, .id = id});
            told("ack", settled.error());
            if (settled.error().code() == Code::kLeaseLost) record({.kind = Event::Kind::kLost, .id = id});
            return;
        }
        message.ack();
    }
    const auto flushed = queue.flush(kLimit);
    if (!flushed) told("flush", flushed.error());
}

void FaultWorkload::make_or_remove(Client& client) {
    const std::uint64_t number = side_++;
    const std::string name = "side-" + std::to_string(number / 2);
    // Every third pair stays, to be there in the end.
    if (number % 2 == 0) {
        sides_[name] = There::kMaybe;
        const auto made = client.create(name, {}, kLimit);
        if (!made) return void(told("create", made.error()));
        sides_[name] = There::kYes;
    } else if (number / 2 % 3 != 0) {
        sides_[name] = There::kMaybe;
        const auto removed = client.remove(name, true, kLimit);
        // Sent again to a broker that had done it, it finds none.
        if (!removed && removed.error().code() != Code::kNotFound) return void(told("remove", removed.error()));
        sides_[name] = There::kNo;
    }
}

void FaultWorkload::drain() {
    Client client(server_);
    auto queue = client.open(kQueue, queue_options(), kLimit);
    if (!queue || !queue->seal(kLimit)) return wrong_.emplace_back("the queue cannot be opened and sealed"), void();
    for (;;) {
        auto message = queue->get(kLimit);
        if (!message && message.error().code() == Code::kEnd) break;
        if (!message) return wrong_.emplace_back("drain: " + message.error().message()), void();
        const auto [producer, seq] = payload_name(message->text());
        record({.kind = Event::Kind::kDelivered,
                .producer = producer,
                .seq = seq,
                .hash = payload_hash(message->text()),
                .id = message->id(),
                .delivery = message->delivery()});
        record({.kind = Event::Kind::kAck, .id = message->id()});
        message->ack();
    }
    record({.kind = Event::Kind::kDrained});
    const auto listed = client.list(kLimit);
    if (!listed) return wrong_.emplace_back("list: " + listed.error().message()), void();
    std::set<std::string> names;
    for (const QueueStats& stats : *listed) names.insert(stats.name);
    for (const auto& [name, there] : sides_) {
        if (there == There::kYes && !names.contains(name)) wrong_.push_back("a confirmed queue is gone: " + name);
        if (there == There::kNo && names.contains(name)) wrong_.push_back("a removed queue is back: " + name);
    }
}

}  // namespace telpher::test
