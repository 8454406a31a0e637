// The input is what a hostile broker sends to a consumer, and what its user does meanwhile: deliveries of any bytes,
// confirms, recalls and ends in any order, connections that come and go. The consumer refuses or takes them, hands out
// only records that decode, and keeps to the protocol itself: verdicts numbered in order, runs that rise, credit that
// is never taken back.
#include <algorithm>

#include "proto/base/check.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sim/sim_clock.h"
#include "tests/unit/consumer/fake_wire.h"

namespace telpher::fuzz {
namespace {

using consumer::Subscription;

constexpr std::size_t kStepsMax = 300;
constexpr std::size_t kMessagesMax = 16;

Subscription::Options options(Choices& choices) {
    Subscription::Options options;
    const std::uint8_t how = choices.byte();
    options.kind = (how & 1U) != 0 ? Subscription::Kind::kGetter : Subscription::Kind::kConsumer;
    options.prefetch = (how & 2U) != 0 ? choices.number32() : 0;
    options.messages_max = (how & 4U) != 0 ? choices.number() : 0;
    options.keep_leases = (how & 8U) != 0;
    options.name = "fuzz";
    return options;
}

class Session {
public:
    explicit Session(Choices choices)
        : choices_(choices),
          subscription_(std::make_shared<Subscription>(options(choices_), clock_, [](Subscription&, bool) {})) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() {
        messages_.clear();
        subscription_->stop();
        subscription_->on_failed(Error(Code::kStopped));
    }

    void run() {
        for (std::size_t step = 0; step < kStepsMax && !choices_.empty(); ++step) {
            this->step();
            look_at_sent();
        }
    }

private:
    void step() {
        if (wire_ == nullptr) return connect();
        switch (choices_.below(12)) {
            case 0:
                return disconnect();
            case 1:
                return answer();
            case 2:
            case 3:
                return deliver();
            case 4:
                return settled();
            case 5:
                return recall();
            case 6:
                return give(v1::OP_END, v1::End());
            case 7:
                return give(v1::OP_PONG, v1::Pong());
            case 8:
            case 9:
                return next();
            case 10:
                return rule();
            default:
                clock_.advance(std::chrono::milliseconds(choices_.number() % 100'000));
                (void)subscription_->do_work(clock_.now());
        }
    }

    void connect() {
        wire_ = std::make_unique<consumer::FakeWire>();
        v1::Opened opened;
        opened.set_generation(choices_.number32());
        opened.mutable_options()->set_durability(choices_.below(5));
        opened.mutable_options()->set_lease_ms(choices_.number());
        settles_ = 0;
        credit_ = {};
        subscription_->on_connected(*wire_, {opened, choices_.flag()}, clock_.now());
        (void)subscription_->do_work(clock_.now());
    }

    void disconnect() {
        subscription_->on_disconnected(clock_.now());
        asked_.clear();
        wire_.reset();
    }

    /// What the broker sends is refused, and the connection given up, or taken.
    void give(v1::Op op, const google::protobuf::MessageLite& message, const std::vector<Slice>& bodies = {}) {
        const auto taken = subscription_->on_frame({op, message, bodies}, clock_.now());
        if (taken) return;
        TELPHER_CHECK(taken.error().code() == Code::kProtocol);
        look_at_sent();
        disconnect();
    }

    /// Answers the oldest question, or refuses it.
    void answer() {
        if (asked_.empty()) return;
        const auto [op, req] = asked_.front();
        asked_.erase(asked_.begin());
        const std::uint8_t how = choices_.byte();
        if (how > 200) return wire_->refuse(req, static_cast<Code>(choices_.number32() % 2000));
        if (op == v1::OP_ATTACH) {
            v1::Attached attached;
            attached.set_sub(choices_.number32());
            add_numbers(*attached.mutable_lost());
            wire_->answer(v1::OP_ATTACHED, req, attached);
        } else if (op == v1::OP_EXTEND) {
            v1::Extended extended;
            add_numbers(*extended.mutable_lost());
            wire_->answer(v1::OP_EXTENDED, req, extended);
        } else {
            wire_->answer(v1::OP_OK, req, v1::Ok());
        }
    }

    void deliver() {
        v1::Deliver header;
        const std::uint8_t how = choices_.byte();
        std::vector<std::string> records;
        for (std::uint8_t count = choices_.below(6); count > 0; --count) {
            records.push_back((how & 1U) != 0 ? choices_.text() : consumer::plain(choices_.text()));
        }
        header.set_count(how < 240 ? static_cast<std::uint32_t>(records.size()) : choices_.number32());
        header.set_first_offset((how & 2U) != 0 ? choices_.number() : next_offset_);
        next_offset_ = header.first_offset() + header.count();
        header.set_delivery((how & 4U) != 0 ? choices_.number32() : 1);
        header.set_charged_bytes((how & 8U) != 0 ? choices_.number() : 0);
        header.set_put_ms((how & 16U) != 0 ? choices_.number() : 1);
        const consumer::Bodies bodies = consumer::make_bodies(records);
        const Slice lengths = how >= 250 ? Slice::own(choices_.text()) : bodies.lengths;
        give(v1::OP_DELIVER, header, {lengths, bodies.records});
    }

    void settled() {
        v1::Settled settled;
        settled.set_settle(choices_.flag() ? settles_ : choices_.number());
        if (choices_.flag()) add_numbers(*settled.mutable_lost());
        give(v1::OP_SETTLED, settled);
    }

    void recall() {
        v1::Recall recall;
        add_numbers(*recall.mutable_ranges());
        give(v1::OP_RECALL, recall);
    }

    void add_numbers(google::protobuf::RepeatedField<std::uint64_t>& numbers) {
        for (std::uint8_t count = choices_.below(10); count > 0; --count) numbers.Add(choices_.number());
    }

    void next() {
        if (messages_.size() == kMessagesMax) messages_.erase(messages_.begin());
        auto message = subscription_->next(Millis(0));
        if (!message) return;
        const std::size_t bytes = message->body().size() + message->key().size();
        TELPHER_CHECK(bytes < 256);
        TELPHER_CHECK(message->text().size() == message->body().size());
        for (const auto& [name, value] : message->headers()) TELPHER_CHECK(name.size() + value.size() < 256);
        messages_.push_back(std::move(*message));
    }

    void rule() {
        if (messages_.empty()) return;
        const auto message = messages_.begin() + static_cast<std::ptrdiff_t>(choices_.byte() % messages_.size());
        switch (choices_.below(6)) {
            case 0:
                message->nack(choices_.text());
                break;
            case 1:
                message->nack(Millis(static_cast<std::int64_t>(choices_.number())), "later");
                break;
            case 2:
                message->dead("dead");
                break;
            case 3:
                message->release();
                break;
            default:
                message->ack();
        }
        messages_.erase(message);
        (void)subscription_->do_work(clock_.now());
    }

    void look_at_sent() {
        if (wire_ == nullptr) return;
        for (; !wire_->sent.empty(); wire_->sent.pop_front()) {
            const auto& [op, bytes] = wire_->sent.front();
            if (op == v1::OP_SETTLE) look_at_settle(bytes);
            if (op == v1::OP_ATTACH) look_at_attach(bytes);
            if (op == v1::OP_DETACH) note_question<v1::Detach>(op, bytes);
            if (op == v1::OP_EXTEND) {
                const auto extend = note_question<v1::Extend>(op, bytes);
                TELPHER_CHECK(frame::read_runs(extend.ranges(), limits::kSettleRangesMax));
            }
            if (op != v1::OP_CREDIT) continue;
            v1::Credit credit;
            TELPHER_CHECK(credit.ParseFromString(bytes));
            TELPHER_CHECK(credit.messages() >= credit_.messages());
            credit_ = credit;
        }
    }

    template <class Question>
    Question note_question(v1::Op op, const std::string& bytes) {
        Question question;
        TELPHER_CHECK(question.ParseFromString(bytes));
        asked_.emplace_back(op, question.req());
        return question;
    }

    void look_at_settle(const std::string& bytes) {
        v1::Settle settle;
        TELPHER_CHECK(settle.ParseFromString(bytes));
        TELPHER_CHECK(settle.settle() == ++settles_);
        const auto runs = frame::read_runs(settle.ranges(), limits::kSettleRangesMax);
        TELPHER_CHECK(runs && !runs->empty() && settle.reason().size() <= limits::kReasonBytesMax);
    }

    void look_at_attach(const std::string& bytes) {
        const auto attach = note_question<v1::Attach>(v1::OP_ATTACH, bytes);
        TELPHER_CHECK(frame::read_runs(attach.held(), limits::kSettleRangesMax));
        settles_ = 0;
        credit_ = {};
        credit_.set_messages(attach.credit_messages());
    }

    Choices choices_;
    sim::SimClock clock_;
    std::shared_ptr<Subscription> subscription_;
    std::unique_ptr<consumer::FakeWire> wire_;
    std::vector<std::pair<v1::Op, std::uint64_t>> asked_;
    std::vector<Message> messages_;
    std::uint64_t next_offset_ = 0;
    std::uint64_t settles_ = 0;  ///< Of this attachment.
    v1::Credit credit_;
};

}  // namespace

std::vector<std::string> seeds() {
    using namespace std::string_literals;
    const std::string connected = "\0\1\1\0\0"s;
    const std::string attached = "\1\0\1\0"s;
    const std::string three = "\2\0\3\1a\1b\1c"s;
    const std::string two_with_keys = "\2\1\2\6\1\3keyp\2\0p"s;
    const std::string take = "\x08"s;
    const std::string ack = "\x0a\0\4"s;
    const std::string nack = "\x0a\0\0\2no"s;
    const std::string settled = "\4\1\0"s;
    return {connected + attached + three + take + ack + take + nack + take + settled + ack + settled,
            "\1"s + connected + attached + three + "\6\x08\x08\0\0\1\1\0\0"s + attached + two_with_keys + take + take,
            "\x0a\5"s + connected + attached + three + two_with_keys + "\5\3\0\2\1\x0b\xff\0\0\1\0\0\0\0\0\6"s + take};
}

}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    telpher::fuzz::Session(telpher::fuzz::Choices(data, size)).run();
    return 0;
}
