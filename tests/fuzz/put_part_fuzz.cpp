// The input is what a hostile broker sends to a producer, and what its user does meanwhile: verdicts over anything,
// limits, PARKED and ROOM, answers and refusals, connections that come and go. The producer refuses or takes them and
// keeps to the protocol itself: whole batches, no more of them than allowed, and every put has an outcome in the end.
#include "producer/put_part.h"

#include "proto/base/check.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sim/sim_clock.h"
#include "tests/unit/consumer/fake_wire.h"
#include "tests/unit/proto/session/fake_network.h"

namespace telpher::fuzz {
namespace {

constexpr std::size_t kStepsMax = 300;
constexpr std::size_t kPutsMax = 2000;

/// Connected with limits as a broker gives them, and with what was sent in full.
class Wire final : public session::Wire {
public:
    explicit Wire(v1::Limits limits) : limits_(std::move(limits)) {}
    [[nodiscard]] HandleId handle() const override { return HandleId(4); }
    [[nodiscard]] Epoch epoch() const override { return Epoch(9); }
    [[nodiscard]] const v1::Limits& limits() const override { return limits_; }
    void send(v1::Op op, const google::protobuf::MessageLite& header, std::span<const Slice> bodies) override {
        TELPHER_CHECK(bodies.size() == frame::body_frames(op));
        const std::string encoded = frame::encode(op, header);
        TELPHER_CHECK(encoded.size() <= frame::header_bytes_max(op));
        if (op != v1::OP_PUT) return;
        const auto batch = batch::View::parse(bodies[0], limits::kMessageBytesMax, 0);
        TELPHER_CHECK(batch.has_value());
        last_put = {batch->header().producer.value(), batch->header().first.value(), batch->count()};
    }
    [[nodiscard]] bool may_put() const override { return put_allowed; }
    void bind(std::uint32_t, session::Part&) override {}
    void unbind(std::uint32_t) override {}

    /// The oldest answer that is waited for.
    session::Answer take_answer() {
        auto answer = std::move(answers_.front());
        answers_.erase(answers_.begin());
        return answer;
    }
    [[nodiscard]] bool asked() const { return !answers_.empty(); }

    struct Sent {
        std::uint64_t producer = 0;
        std::uint64_t first = 0;
        std::uint32_t count = 0;
    };
    Sent last_put;
    bool put_allowed = true;

private:
    std::uint64_t expect(v1::Op, session::Answer answer) override {
        answers_.push_back(std::move(answer));
        return ++req_;
    }
    v1::Limits limits_;
    std::uint64_t req_ = 0;
    std::vector<session::Answer> answers_;
};

/// For its clock and its limits; it never gets a connection, nor the part.
session::Engine& engine() {
    static session::FakeNetwork network;
    static session::Engine engine(session::Engine::Config{}, network.factory(), system_clock());
    return engine;
}

class Session {
public:
    explicit Session(Choices choices)
        : choices_(choices),
          part_(std::make_shared<producer::PutPart>(engine(), choices_.flag() ? "named" : std::string())) {}

    void run() {
        for (std::size_t step = 0; step < kStepsMax && !choices_.empty(); ++step) this->step();
        part_->on_failed(Error(Code::kStopped));
        TELPHER_CHECK(part_->idle());
        TELPHER_CHECK(!part_->put_async("late", {}));
    }

private:
    void step() {
        if (wire_ == nullptr) return connect();
        switch (choices_.below(14)) {
            case 0:
                return disconnect();
            case 1:
            case 2:
                return answer();
            case 3:
            case 4:
                return confirm();
            case 5:
                return park();
            case 6:
                return limit();
            case 7:
                return give(v1::OP_SETTLED, v1::Settled());
            case 8:
            case 9:
            case 10:
                return put();
            case 11:
                wire_->put_allowed = choices_.flag();
                return work();
            case 12:
                if (part_->idle()) part_->on_close();
                return;
            default:
                clock_.advance(std::chrono::milliseconds(choices_.number() % 100'000));
                return work();
        }
    }

    void connect() {
        v1::Limits limits;
        limits.set_puts_in_flight(choices_.flag() ? 256 : choices_.number32());
        wire_ = std::make_unique<Wire>(limits);
        v1::Opened opened;
        opened.set_put_bytes(choices_.flag() ? choices_.number() : limits::kHandlePutWindowBytes);
        part_->on_connected(*wire_, {opened, choices_.flag()}, clock_.now());
        work();
    }

    void disconnect() {
        part_->on_disconnected(clock_.now());
        wire_.reset();
    }

    void work() { (void)part_->do_work(clock_.now()); }

    void put() {
        for (std::uint8_t count = 1 + choices_.byte() % 8U; count > 0 && puts_ < kPutsMax; --count, ++puts_) {
            PutOptions options;
            options.timeout = Millis(0);
            (void)part_->put_async(choices_.text(), options);
        }
        work();
    }

    /// To OPEN_PRODUCER: as it should be, or otherwise.
    void answer() {
        if (!wire_->asked()) return;
        const auto answer = wire_->take_answer();
        const std::uint8_t how = choices_.byte();
        if (how > 200) return answer(fail(static_cast<Code>(choices_.number32() % 2000)));
        v1::ProducerOpened opened;
        opened.set_producer(how % 4 == 3 ? choices_.number() : 77);
        opened.set_next_sequence(how % 4 == 2 ? choices_.number() : wire_->last_put.first);
        const session::Frame frame{v1::OP_PRODUCER_OPENED, opened, {}};
        answer(&frame);
        work();
    }

    void confirm() {
        v1::Confirm confirm;
        const Wire::Sent& put = wire_->last_put;
        const std::uint8_t how = choices_.byte();
        confirm.set_producer((how & 1U) != 0 ? choices_.number() : put.producer);
        if ((how & 2U) != 0) {
            add_numbers(*confirm.mutable_stored());
            add_numbers(*confirm.mutable_refused());
        } else if (put.count > 0) {
            auto& runs = (how & 4U) != 0 ? *confirm.mutable_refused() : *confirm.mutable_stored();
            std::uint64_t end = 0;
            frame::add_run(runs, end, {put.first, 1U + how / 16U % put.count, choices_.number()});
        }
        confirm.set_decided_below((how & 8U) != 0 ? choices_.number() : put.first + put.count);
        confirm.set_put_bytes(choices_.number() * 1024);
        give(v1::OP_CONFIRM, confirm);
    }

    void add_numbers(google::protobuf::RepeatedField<std::uint64_t>& numbers) {
        for (std::uint8_t count = choices_.below(7); count > 0; --count) numbers.Add(choices_.number());
    }

    /// PARKED or ROOM.
    void park() {
        const std::uint64_t first = choices_.flag() ? choices_.number() : wire_->last_put.first;
        if (choices_.flag()) {
            v1::Parked parked;
            parked.set_producer(wire_->last_put.producer);
            parked.set_first_sequence(first);
            parked.set_kept(choices_.flag());
            return give(v1::OP_PARKED, parked);
        }
        v1::Room room;
        room.set_producer(wire_->last_put.producer);
        room.set_first_sequence(first);
        give(v1::OP_ROOM, room);
    }

    void limit() {
        v1::Limit limit;
        limit.set_put_bytes(choices_.number() * 1024);
        give(v1::OP_LIMIT, limit);
    }

    /// What the broker sends is refused, and the connection given up, or taken.
    void give(v1::Op op, const google::protobuf::MessageLite& message) {
        const auto taken = part_->on_frame({op, message, {}}, clock_.now());
        if (taken) return work();
        TELPHER_CHECK(taken.error().code() == Code::kProtocol);
        disconnect();
    }

    Choices choices_;
    sim::SimClock clock_;
    std::shared_ptr<producer::PutPart> part_;
    std::unique_ptr<Wire> wire_;
    std::size_t puts_ = 0;
};

}  // namespace

std::vector<std::string> seeds() {
    using namespace std::string_literals;
    const std::string connect = "\1\0\0"s;
    const std::string opened = "\1\0"s;
    const std::string put = "\x08\2\1a\2bb\3ccc"s;
    const std::string stored = "\3\x20\x40\xff\0\0\0\1\0\0\0\0"s;
    const std::string refused = "\3\4\1\0"s;
    const std::string parked = "\5\0\1\1"s;
    const std::string room = "\5\0\0"s;
    return {
        "\0"s + connect + opened + put + stored + put + put + refused + parked + room + "\0"s + connect + opened + put,
        "\1"s + connect + opened + put + stored + "\x0d\xff\0\x40"s + put + refused + "\6\x40\0\1\0\1"s + opened,
        "\0"s + connect + "\1\xff\x0a\x0d\xfe"s + opened + put + "\3\2\3\0\1\7\3\1\1\4\0"s + put + stored};
}

}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    telpher::fuzz::Session(telpher::fuzz::Choices(data, size)).run();
    return 0;
}
