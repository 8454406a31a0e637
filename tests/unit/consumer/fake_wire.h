// A subscription on a connection made by hand: what it sends is recorded, what the broker would send is given to it.
// One thread plays the engine (work() and the give_... functions).
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "consumer/subscription.h"
#include "tests/unit/consumer/fake_delivery.h"

namespace telpher::consumer {

/// The machine's clock, moved forward at will.
class SkipClock : public Clock {
public:
    [[nodiscard]] Instant now() const override { return system_clock().now() + Duration{skipped_.load()}; }
    [[nodiscard]] WallTime wall() const override { return system_clock().wall(); }
    void skip(Duration time) { skipped_ += time.count(); }

private:
    std::atomic<std::int64_t> skipped_{0};
};

class FakeWire : public session::Wire {
public:
    [[nodiscard]] HandleId handle() const override { return HandleId(4); }
    [[nodiscard]] Epoch epoch() const override { return Epoch(9); }
    [[nodiscard]] const v1::Limits& limits() const override { return limits_; }
    void send(v1::Op op, const google::protobuf::MessageLite& header, std::span<const Slice>) override {
        sent.push_back({op, header.SerializeAsString()});
    }
    [[nodiscard]] bool may_put() const override { return true; }
    void bind(std::uint32_t sub, session::Part&) override { bound = sub; }
    void unbind(std::uint32_t) override { bound = 0; }

    /// Takes the oldest sent frame, which must be of `op`.
    template <class M>
    std::optional<M> take(v1::Op op) {
        if (sent.empty() || sent.front().op != op) return std::nullopt;
        M message;
        message.ParseFromString(sent.front().bytes);
        sent.pop_front();
        return message;
    }
    /// Answers request `req`.
    void answer(v1::Op op, std::uint64_t req, const google::protobuf::MessageLite& message) {
        const session::Frame frame{op, message, {}};
        take_answer(req)(&frame);
    }
    void refuse(std::uint64_t req, Code code) { take_answer(req)(fail(code)); }

    struct Sent {
        v1::Op op;
        std::string bytes;
    };
    std::deque<Sent> sent;
    std::uint32_t bound = 0;

private:
    std::uint64_t expect(v1::Op, session::Answer answer) override {
        answers_[++req_] = std::move(answer);
        return req_;
    }
    session::Answer take_answer(std::uint64_t req) {
        auto answer = std::move(answers_.at(req));
        answers_.erase(req);
        return answer;
    }
    v1::Limits limits_;
    std::uint64_t req_ = 0;
    std::map<std::uint64_t, session::Answer> answers_;
};

struct Rig {
    explicit Rig(Subscription::Kind kind = Subscription::Kind::kConsumer, std::uint32_t prefetch = 0)
        : subscription(std::make_shared<Subscription>(Subscription::Options{kind, prefetch, "test"}, clock,
                                                      [this](Subscription&, bool) { woken = true; })) {}
    /// What is buffered holds on to its subscription, and the other way round, until its owner closes it.
    ~Rig() {
        if (subscription) subscription->stop();
    }
    Rig(const Rig&) = delete;
    Rig& operator=(const Rig&) = delete;

    void connect(bool restarted = false, std::uint32_t generation = 1, Durability durability = Durability::kFsync) {
        wire = std::make_unique<FakeWire>();
        v1::Opened opened;
        opened.set_generation(generation);
        opened.mutable_options()->set_durability(static_cast<std::uint32_t>(durability));
        subscription->on_connected(*wire, {opened, restarted}, clock.now());
        work();
    }
    void disconnect() {
        subscription->on_disconnected(clock.now());
        wire.reset();
    }
    Instant work() {
        woken = false;
        return subscription->do_work(clock.now());
    }
    /// Answers the ATTACH that was just sent, and returns it.
    v1::Attach attach(std::uint32_t sub = 1, std::vector<frame::Run> lost = {}) {
        const auto attach = wire->take<v1::Attach>(v1::OP_ATTACH);
        if (!attach) throw std::runtime_error("no ATTACH");
        v1::Attached attached;
        attached.set_sub(sub);
        std::uint64_t end = 0;
        for (const auto& run : lost) frame::add_range(*attached.mutable_lost(), end, run.first, run.count);
        wire->answer(v1::OP_ATTACHED, attach->req(), attached);
        return *attach;
    }
    Result<void> give(v1::Op op, const google::protobuf::MessageLite& message, std::vector<Slice> bodies = {}) {
        return subscription->on_frame({op, message, bodies}, clock.now());
    }
    Result<void> deliver(std::uint64_t first, std::uint32_t count, std::uint32_t number = 1) {
        std::vector<std::string> records;
        for (std::uint32_t i = 0; i < count; ++i) records.push_back(plain(std::to_string(first + i)));
        return deliver_records(first, records, number);
    }
    Result<void> deliver_records(std::uint64_t first, const std::vector<std::string>& records,
                                 std::uint32_t number = 1) {
        v1::Deliver header;
        header.set_count(static_cast<std::uint32_t>(records.size()));
        header.set_first_offset(first);
        header.set_delivery(number);
        header.set_attempt(1);
        const Bodies bodies = make_bodies(records);
        return give(v1::OP_DELIVER, header, {bodies.lengths, bodies.records});
    }
    Result<void> settled(std::uint64_t settle, const std::vector<std::uint64_t>& lost = {}) {
        v1::Settled message;
        message.set_settle(settle);
        for (const auto number : lost) message.add_lost(number);
        return give(v1::OP_SETTLED, message);
    }
    Result<void> end() {
        v1::End message;
        message.set_generation(1);
        return give(v1::OP_END, message);
    }
    /// The next SETTLE that was sent, with its runs.
    std::optional<std::pair<v1::Settle, std::vector<frame::Run>>> settle() {
        auto message = wire->take<v1::Settle>(v1::OP_SETTLE);
        if (!message) return std::nullopt;
        return std::pair{*message, *frame::read_runs(message->ranges(), limits::kSettleRangesMax)};
    }

    SkipClock clock;
    std::atomic<bool> woken{false};
    std::shared_ptr<Subscription> subscription;
    std::unique_ptr<FakeWire> wire;
};

}  // namespace telpher::consumer
