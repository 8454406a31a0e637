// The input is what a hostile broker sends to a client's core, with two queues open and questions on their way: frames
// of every op, whole or not, in any order, on connections that come and go. The client greets before it says anything
// else, sends only what a broker can parse, with the epoch it was given, and every question ends exactly once.
#include <map>

#include "proto/base/check.h"
#include "proto/session/core.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/proto/session/fake_network.h"

namespace telpher::fuzz {
namespace {

using namespace std::chrono_literals;
using session::Core;

constexpr std::size_t kStepsMax = 300;
constexpr std::uint64_t kCallsMax = 64;

/// Takes what comes, or refuses it, and always has something to send.
class Part final : public session::Part {
public:
    explicit Part(Choices& choices) : choices_(choices) {}
    void on_connected(session::Wire& wire, const session::Connected& connected, Instant) override {
        TELPHER_CHECK(wire_ == nullptr && wire.handle().value() == connected.opened.handle());
        wire_ = &wire;
        v1::Attach attach;
        attach.set_handle(wire.handle().value());
        wire.call(v1::OP_ATTACH, attach, [this](const Result<const session::Frame*>& answer) {
            if (answer && wire_ != nullptr) wire_->bind((*answer)->as<v1::Attached>().sub(), *this);
        });
    }
    void on_disconnected(Instant) override {
        TELPHER_CHECK(wire_ != nullptr);
        wire_ = nullptr;
    }
    void on_failed(const Error&) override { wire_ = nullptr; }
    Result<void> on_frame(const session::Frame& frame, Instant) override {
        TELPHER_CHECK(wire_ != nullptr && frame.bodies.size() == frame::body_frames(frame.op));
        if (choices_.byte() > 250) return fail(Code::kProtocol, "not taken");
        return {};
    }
    Instant do_work(Instant now) override { return now + 1s; }
    [[nodiscard]] bool takes_confirms() const override { return true; }
    Result<void> drain(Instant) override { return {}; }

private:
    Choices& choices_;
    session::Wire* wire_ = nullptr;
};

class Session {
public:
    explicit Session(Choices choices)
        : choices_(choices), core_({.endpoint = "tcp://broker:1", .client_name = "fuzz", .log = {}}, net_.factory()) {
        work(0ms);
    }

    void run() {
        for (std::size_t step = 0; step < kStepsMax && !choices_.empty(); ++step) {
            this->step();
            work(0ms);
        }
        (void)core_.say_bye();
        core_.shut(Error(Code::kStopped));
        look_at_sent();
        for (const auto& [call, ends] : ended_) TELPHER_CHECK(ends == 1);
    }

private:
    void work(std::chrono::milliseconds time) {
        now_ = now_ + time;
        while (core_.do_work(now_)) look_at_sent();
        look_at_sent();
        if (net_.connections() == connections_) return;
        connections_ = net_.connections();
        greeted_ = false;
    }

    void step() {
        switch (choices_.below(12)) {
            case 0:
                return net_.up();
            case 1:
                return net_.down("cut");
            case 2:
                return net_.refuse({.reason = "refused",
                                    .code = choices_.flag() ? Code::kAuth : Code::kUnreachable,
                                    .maybe_keys = choices_.flag()});
            case 3:
                return hello();
            case 4:
                return ask();
            case 5:
                return open_queue();
            case 6:
            case 7:
                return answer();
            case 8:
                return of_queue();
            case 9:
                return net_.send_raw(choices_.text(), bodies(choices_.below(4)));
            case 10:
                return release();
            default:
                return work(std::chrono::milliseconds(choices_.number() % 60'000));
        }
    }

    void hello() {
        v1::HelloOk hello = session::hello_ok(1 + choices_.below(4), choices_.flag(), choices_.below(3));
        const std::uint8_t how = choices_.byte();
        if ((how & 1U) != 0) hello.set_heartbeat_ms(choices_.number32());
        if ((how & 2U) != 0) hello.set_session(choices_.number());
        if ((how & 4U) != 0) hello.mutable_limits()->set_message_bytes(choices_.number());
        if ((how & 8U) != 0) hello.mutable_limits()->set_session_put_bytes(choices_.number());
        if (how > 250) hello.set_proto(choices_.number32());
        net_.send(v1::OP_HELLO_OK, hello);
    }

    /// A question of a user thread.
    void ask() {
        static constexpr std::array kOps{v1::OP_JOIN,        v1::OP_SHOW, v1::OP_OPEN, v1::OP_STATUS,
                                         v1::OP_HANDLE_DEAD, v1::OP_PEEK, v1::OP_SEAL};
        if (ended_.size() == kCallsMax) return;
        session::PendingRequest request;
        request.op = kOps[choices_.byte() % kOps.size()];
        if (choices_.flag() && !links_.empty()) request.link = links_[choices_.byte() % links_.size()];
        request.leave = choices_.flag();
        request.done_before = choices_.flag() ? Code::kNotFound : Code::kOk;
        request.encode = [op = request.op](std::uint64_t req, Epoch epoch, HandleId) {
            v1::Leave any;  // epoch and req lie there in every question
            any.set_req(req);
            any.set_epoch(epoch.value());
            return frame::encode(op, any);
        };
        const std::uint64_t call = ended_.size();
        ended_[call] = 0;
        request.answer = [](const session::Frame& frame) { TELPHER_CHECK(frame.op != v1::OP_ERROR); };
        request.done = [this, call](const Result<void>&) { TELPHER_CHECK(++ended_[call] == 1); };
        if (choices_.flag()) request.deadline = now_ + std::chrono::milliseconds(choices_.byte());
        request.reach_by = now_ + 10s;
        core_.request(std::move(request));
    }

    void open_queue() {
        if (links_.size() == 2 || !greeted_) return;
        auto link = std::make_shared<session::QueueLink>(core_, "queue");
        v1::Opened opened;
        opened.set_handle(1 + choices_.below(3));
        core_.opened(link, opened);
        core_.add(link, std::make_shared<Part>(choices_));
        if (choices_.flag()) core_.add(link, std::make_shared<Part>(choices_));
        links_.push_back(std::move(link));
    }

    void release() {
        if (links_.empty()) return;
        core_.release(links_.back());
        links_.pop_back();
    }

    /// An answer to the latest questions, of any kind.
    void answer() {
        const std::uint64_t req = choices_.flag() ? choices_.number() : last_req_ - choices_.below(4);
        switch (choices_.below(7)) {
            case 0:
                return send<v1::Opened>(v1::OP_OPENED, req);
            case 1:
                return send<v1::Ok>(v1::OP_OK, req);
            case 2:
                return send<v1::Attached>(v1::OP_ATTACHED, req);
            case 3:
                return send<v1::Joined>(v1::OP_JOINED, req);
            case 4:
                return send<v1::Queues>(v1::OP_QUEUES, req);
            case 5:
                return send<v1::DeadHandled>(v1::OP_DEAD_HANDLED, req);
            default:
                return send<v1::Error>(v1::OP_ERROR, req);
        }
    }

    /// What is not an answer.
    void of_queue() {
        switch (choices_.below(9)) {
            case 0:
                return send<v1::Confirm>(v1::OP_CONFIRM, 0);
            case 1:
                return send<v1::Limit>(v1::OP_LIMIT, 0);
            case 2:
                return send<v1::Room>(v1::OP_ROOM, 0);
            case 3:
                return send<v1::Deliver>(v1::OP_DELIVER, 0);
            case 4:
                return send<v1::Settled>(v1::OP_SETTLED, 0);
            case 5:
                return send<v1::Recall>(v1::OP_RECALL, 0);
            case 6:
                return send<v1::Goodbye>(v1::OP_GOODBYE, 0);
            case 7:
                return send<v1::Pong>(v1::OP_PONG, 0);
            default:
                return send<v1::End>(v1::OP_END, 0);
        }
    }

    /// A message of that op with the fields that say whom it is for, and what follows from them.
    template <class Message>
    void send(v1::Op op, std::uint64_t req) {
        Message message;
        if constexpr (requires { message.set_req(0); }) message.set_req(req);
        if constexpr (requires { message.set_handle(0); }) message.set_handle(choices_.below(4));
        if constexpr (requires { message.set_sub(0); }) message.set_sub(choices_.number32());
        if constexpr (requires { message.set_code(0); }) message.set_code(choices_.number32());
        if constexpr (requires { message.set_retry_after_ms(0); }) message.set_retry_after_ms(choices_.number32());
        if constexpr (requires { message.set_session_put_bytes(0); }) {
            message.set_session_put_bytes(choices_.number());
        }
        net_.send(op, message, bodies(frame::body_frames(op)));
    }

    std::vector<Slice> bodies(std::size_t count) {
        std::vector<Slice> bodies(std::min<std::size_t>(count, limits::kFramesMax - 1));
        for (Slice& body : bodies) body = Slice::own(choices_.text(16));
        return bodies;
    }

    void look_at_sent() {
        while (const auto sent = net_.take()) {
            const v1::Op op = sent->op();
            TELPHER_CHECK(sent->header.size() <= frame::header_bytes_max(op));
            TELPHER_CHECK(sent->bodies.size() == frame::body_frames(op));
            if (op == v1::OP_HELLO) {
                (void)sent->as<v1::Hello>();
                greeted_ = true;
                continue;
            }
            TELPHER_CHECK(greeted_);
            if (op == v1::OP_PING || op == v1::OP_BYE || op == v1::OP_CLOSE) continue;
            last_req_ = sent->as<v1::Leave>().req();
        }
    }

    Choices choices_;
    session::FakeNetwork net_;
    Instant now_{1'000'000'000};
    Core core_;
    int connections_ = 0;
    bool greeted_ = false;
    std::uint64_t last_req_ = 0;
    std::vector<std::shared_ptr<session::QueueLink>> links_;
    std::map<std::uint64_t, int> ended_;
};

}  // namespace

std::vector<std::string> seeds() {
    using namespace std::string_literals;
    const std::string up = "\0"s;
    const std::string hello = "\3\0\0\0\0"s;
    const std::string open = "\5\0\1"s;
    const std::string attached = "\6\0\0\2\1"s;
    const std::string ask = "\4\0\0\1\0\0"s;
    const std::string joined = "\6\0\0\3"s;
    const std::string deliver = "\x08\3\1\2ab\2cd"s;
    const std::string goodbye = "\x08\6\x64\1"s;
    const std::string gone = "\6\0\0\6\1\x11\0"s;
    return {up + hello + open + attached + deliver + ask + joined + gone,
            up + hello + open + ask + "\1"s + "\x0b\xff\x88\x13\0\0\0\0\0\0"s + up + "\3\1\1\0\0"s + attached + joined,
            ask + up + hello + joined + goodbye + "\x0b\xff\x88\x13\0\0\0\0\0\0"s + "\2\1\1"s + ask};
}

}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    telpher::fuzz::Session(telpher::fuzz::Choices(data, size)).run();
    return 0;
}
