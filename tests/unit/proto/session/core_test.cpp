#include "proto/session/core.h"

#include <gtest/gtest.h>

#include "tests/unit/proto/session/fake_network.h"

namespace telpher::session {
namespace {

using namespace std::chrono_literals;

/// A part that notes what it is told.
class Recorder final : public Part {
public:
    void on_connected(Wire& wire, const Connected& connected, Instant /*now*/) override {
        wire_ = &wire;
        told.push_back("connected " + std::to_string(connected.opened.handle()) +
                       (connected.restarted ? " restarted" : ""));
    }
    void on_disconnected(Instant /*now*/) override {
        wire_ = nullptr;
        told.emplace_back("disconnected");
    }
    void on_failed(const Error& error) override { told.push_back("failed " + std::string(info(error.code()).name)); }
    void on_close() override { told.emplace_back("close"); }
    Result<void> on_frame(const Frame& frame, Instant /*now*/) override {
        told.push_back("frame " + std::to_string(static_cast<int>(frame.op)));
        return answer;
    }
    Instant do_work(Instant now) override {
        ++works;
        worked_at = now;
        return due;
    }
    [[nodiscard]] bool takes_confirms() const override { return confirms; }
    [[nodiscard]] bool idle() const override { return is_idle; }
    Result<void> drain(Instant /*deadline*/) override { return {}; }

    Wire* wire_ = nullptr;
    std::vector<std::string> told;
    Result<void> answer;
    Instant due = Instant::never();
    Instant worked_at;
    int works = 0;
    bool confirms = false;
    bool is_idle = true;
};

using Told = std::vector<std::string>;

class CoreTest : public testing::Test {
protected:
    CoreTest()
        : core_({.endpoint = "tcp://broker:1",
                 .client_name = "test",
                 .log = [this](const std::string& line) { log_.push_back(line); },
                 .on_connection = [this](bool connected) { connected_.push_back(connected); },
                 .seed = 1},
                net_.factory()) {
        work();
    }

    void work(Duration time = 0s) {
        now_ = now_ + time;
        while (core_.do_work(now_)) continue;
    }
    /// The transport comes up and the broker answers HELLO.
    v1::Hello greet(const v1::HelloOk& answer) {
        net_.up();
        work();
        const auto hello = net_.take();
        EXPECT_TRUE(hello && hello->op() == v1::OP_HELLO);
        net_.send(v1::OP_HELLO_OK, answer);
        work();
        return hello->as<v1::Hello>();
    }
    /// The next frame sent, which must be an M of `op`.
    template <class M>
    M expect(v1::Op op) {
        const auto wired = net_.take();
        if (!wired || wired->op() != op) {
            ADD_FAILURE() << "expected op " << op << ", got " << (wired ? static_cast<int>(wired->op()) : -1);
            return {};
        }
        return wired->as<M>();
    }
    void answer_open(const v1::Open& open, std::uint32_t handle) {
        v1::Opened opened;
        opened.set_req(open.req());
        opened.set_handle(handle);
        net_.send(v1::OP_OPENED, opened);
        work();
    }
    /// A queue opened for the first time, on this connection.
    std::shared_ptr<QueueLink> open_queue(const std::string& name, std::uint32_t handle) {
        auto link = std::make_shared<QueueLink>(core_, name);
        v1::Opened opened;
        opened.set_handle(handle);
        core_.opened(link, opened);
        return link;
    }
    std::shared_ptr<Recorder> add_part(const std::shared_ptr<QueueLink>& link) {
        auto part = std::make_shared<Recorder>();
        core_.add(link, part);
        work();
        return part;
    }
    /// A call of a user thread that notes how it ended.
    Requests::CallId call(v1::Op op, std::shared_ptr<QueueLink> link = nullptr, Instant deadline = Instant::never()) {
        const auto id = core_.request(pending(op, std::move(link), deadline));
        work();
        return id;
    }
    PendingRequest pending(v1::Op op, std::shared_ptr<QueueLink> link, Instant deadline) {
        PendingRequest request;
        request.op = op;
        request.link = std::move(link);
        request.leave = op == v1::OP_JOIN;
        request.encode = [op](std::uint64_t req, Epoch epoch, HandleId handle) {
            v1::Join join;
            join.set_req(req);
            join.set_epoch(epoch.value());
            join.set_handle(handle.value());
            return frame::encode(op, join);
        };
        request.answer = [this](const Frame&) { ended_.emplace_back("answer"); };
        request.done = [this](const Result<void>& done) {
            ended_.emplace_back(done ? "ok"
                                     : std::string(info(done.error().code()).name) + " " + done.error().detail());
        };
        request.deadline = deadline;
        request.reach_by = now_ + 10s;
        return request;
    }
    void answer_ok(std::uint64_t req) {
        v1::Ok ok;
        ok.set_req(req);
        net_.send(v1::OP_OK, ok);
        work();
    }
    void answer_error(std::uint64_t req, Code code) {
        v1::Error error;
        error.set_req(req);
        error.set_code(static_cast<std::uint32_t>(code));
        net_.send(v1::OP_ERROR, error);
        work();
    }
    /// The connection is lost and a new one is greeted.
    v1::Hello reconnect(const v1::HelloOk& answer) {
        net_.down("cut");
        work();
        work(11s);
        return greet(answer);
    }

    FakeNetwork net_;
    Instant now_{1'000'000'000'000};
    std::vector<std::string> log_;
    std::vector<bool> connected_;
    std::vector<std::string> ended_;
    Core core_;
};

TEST_F(CoreTest, SaysHelloOnceTheTransportIsUp) {
    EXPECT_EQ(net_.connections(), 1);
    EXPECT_FALSE(net_.take());
    const auto hello = greet(hello_ok());
    EXPECT_EQ(hello.client_name(), "test");
    EXPECT_EQ(core_.message_bytes_max(), 1'000'000U);
    EXPECT_EQ(log_, (Told{"tcp://broker:1: connected"}));
}

TEST_F(CoreTest, TriesAgainWhenNobodyListens) {
    net_.down("nobody listens there");
    work();
    EXPECT_EQ(core_.transport(), nullptr);
    work(50ms);
    EXPECT_EQ(net_.connections(), 2);
}

TEST_F(CoreTest, AnythingBeforeHelloOkIsRefused) {
    net_.up();
    work();
    net_.send(v1::OP_PONG, v1::Pong{});
    work();
    EXPECT_EQ(core_.transport(), nullptr);
}

TEST_F(CoreTest, PingsAndGivesUpASilentBroker) {
    greet(hello_ok());
    work(5s);
    expect<v1::Ping>(v1::OP_PING);
    for (int i = 0; i < 3; ++i) work(4s);
    EXPECT_EQ(core_.transport(), nullptr);
}

TEST_F(CoreTest, AQueueIsOpenedAgainByNameAlone) {
    greet(hello_ok());
    const auto link = open_queue("jobs", 3);
    const auto part = add_part(link);
    EXPECT_EQ(part->told, (Told{"connected 3"}));
    const auto hello = reconnect(hello_ok(2, true));
    EXPECT_EQ(hello.resume_session(), 7U);
    EXPECT_EQ(part->told, (Told{"connected 3", "disconnected"}));
    const auto open = expect<v1::Open>(v1::OP_OPEN);
    EXPECT_EQ(open.name(), "jobs");
    EXPECT_EQ(open.epoch(), 2U);
    EXPECT_FALSE(open.create());
    EXPECT_FALSE(open.has_options());
    answer_open(open, 9);
    EXPECT_EQ(part->told.back(), "connected 9");
    EXPECT_EQ(part->wire_->handle(), HandleId(9));
}

TEST_F(CoreTest, ARestartedBrokerIsTold) {
    greet(hello_ok());
    const auto part = add_part(open_queue("jobs", 3));
    reconnect(hello_ok(1, false, 200));
    answer_open(expect<v1::Open>(v1::OP_OPEN), 1);
    EXPECT_EQ(part->told.back(), "connected 1 restarted");
}

TEST_F(CoreTest, ARestartIsToldThoughTheFirstConnectionToItBroke) {
    greet(hello_ok());
    const auto part = add_part(open_queue("jobs", 3));
    reconnect(hello_ok(1, false, 200));
    expect<v1::Open>(v1::OP_OPEN);  // no answer
    reconnect(hello_ok(2, true, 200));
    answer_open(expect<v1::Open>(v1::OP_OPEN), 1);
    EXPECT_EQ(part->told.back(), "connected 1 restarted");
    reconnect(hello_ok(3, true, 200));
    answer_open(expect<v1::Open>(v1::OP_OPEN), 1);
    EXPECT_EQ(part->told.back(), "connected 1");
}

TEST_F(CoreTest, ACallSentAgainMayHaveBeenDoneBefore) {
    greet(hello_ok());
    const auto reopen = [&] {
        PendingRequest request = pending(v1::OP_REOPEN, nullptr, Instant::never());
        request.done_before = Code::kBadOption;
        core_.request(request);
        work();
    };
    reopen();
    answer_error(expect<v1::Join>(v1::OP_REOPEN).req(), Code::kBadOption);
    ASSERT_EQ(ended_.size(), 1U);
    EXPECT_TRUE(ended_[0].starts_with(info(Code::kBadOption).name)) << "the first time it is refused";
    reopen();
    expect<v1::Join>(v1::OP_REOPEN);
    reconnect(hello_ok(2, true));
    answer_error(expect<v1::Join>(v1::OP_REOPEN).req(), Code::kBadOption);
    ASSERT_EQ(ended_.size(), 2U);
    EXPECT_EQ(ended_[1], "ok");
    reopen();
    expect<v1::Join>(v1::OP_REOPEN);
    reconnect(hello_ok(3, true));
    answer_error(expect<v1::Join>(v1::OP_REOPEN).req(), Code::kNotFound);
    ASSERT_EQ(ended_.size(), 3U);
    EXPECT_TRUE(ended_[2].starts_with(info(Code::kNotFound).name));
}

TEST_F(CoreTest, AQueueThatIsGoneFailsItsParts) {
    greet(hello_ok());
    const auto link = open_queue("jobs", 3);
    const auto part = add_part(link);
    reconnect(hello_ok(2));
    answer_error(expect<v1::Open>(v1::OP_OPEN).req(), Code::kNotFound);
    EXPECT_EQ(part->told.back(), "failed " + std::string(info(Code::kNotFound).name));
    EXPECT_EQ(add_part(link)->told, (Told{"failed " + std::string(info(Code::kNotFound).name)}));
    call(v1::OP_SEAL, link);
    ASSERT_EQ(ended_.size(), 1U);
    EXPECT_TRUE(ended_[0].starts_with(info(Code::kNotFound).name));
}

TEST_F(CoreTest, AQueueThatIsRemovedFailsItsPartsAndCalls) {
    greet(hello_ok());
    const auto link = open_queue("jobs", 3);
    const auto neighbour = add_part(open_queue("others", 4));
    const auto part = add_part(link);
    call(v1::OP_SEAL, link);
    net_.take();
    v1::Error error;
    error.set_handle(3);
    error.set_code(static_cast<std::uint32_t>(Code::kNotFound));
    net_.send(v1::OP_ERROR, error);
    work();
    EXPECT_EQ(part->told.back(), "failed " + std::string(info(Code::kNotFound).name));
    EXPECT_EQ(neighbour->told.back(), "connected 4");
    ASSERT_EQ(ended_.size(), 1U);
    EXPECT_TRUE(ended_[0].starts_with(info(Code::kNotFound).name));
    EXPECT_EQ(expect<v1::Close>(v1::OP_CLOSE).handle(), 3U);
    net_.send(v1::OP_ERROR, error);  // crossed the CLOSE
    work();
    EXPECT_FALSE(net_.take());
}

TEST_F(CoreTest, AQueueThatCannotBeOpenedNowIsTriedAgain) {
    greet(hello_ok());
    const auto part = add_part(open_queue("jobs", 3));
    reconnect(hello_ok(2));
    answer_error(expect<v1::Open>(v1::OP_OPEN).req(), Code::kRestarting);
    EXPECT_FALSE(net_.take());
    work(1s);
    answer_open(expect<v1::Open>(v1::OP_OPEN), 4);
    EXPECT_EQ(part->told.back(), "connected 4");
}

TEST_F(CoreTest, HandleFramesGoToThePartThatTakesConfirms) {
    greet(hello_ok());
    const auto link = open_queue("jobs", 3);
    const auto gets = add_part(link);
    const auto puts = std::make_shared<Recorder>();
    puts->confirms = true;
    core_.add(link, puts);
    v1::Confirm confirm;
    confirm.set_handle(3);
    net_.send(v1::OP_CONFIRM, confirm);
    confirm.set_handle(4);
    net_.send(v1::OP_CONFIRM, confirm);
    work();
    EXPECT_EQ(gets->told, (Told{"connected 3"}));
    EXPECT_EQ(puts->told, (Told{"connected 3", "frame " + std::to_string(v1::OP_CONFIRM)}));
}

TEST_F(CoreTest, SubFramesGoToWhoeverBoundTheSub) {
    greet(hello_ok());
    const auto part = add_part(open_queue("jobs", 3));
    part->wire_->bind(5, *part);
    v1::End end;
    end.set_sub(5);
    net_.send(v1::OP_END, end);
    end.set_sub(6);
    net_.send(v1::OP_END, end);
    work();
    EXPECT_EQ(part->told.size(), 2U);
    core_.remove(*part);
    end.set_sub(5);
    net_.send(v1::OP_END, end);
    work();
    EXPECT_EQ(part->told, (Told{"connected 3", "frame " + std::to_string(v1::OP_END), "disconnected"}));
}

TEST_F(CoreTest, APartThatRefusesAFrameEndsTheConnection) {
    greet(hello_ok());
    const auto part = add_part(open_queue("jobs", 3));
    part->confirms = true;
    part->answer = fail(Code::kProtocol, "nonsense");
    v1::Confirm confirm;
    confirm.set_handle(3);
    net_.send(v1::OP_CONFIRM, confirm);
    work();
    EXPECT_EQ(core_.transport(), nullptr);
    EXPECT_EQ(part->told.back(), "disconnected");
}

TEST_F(CoreTest, AnswersOfPartsEndWithTheConnection) {
    greet(hello_ok());
    const auto part = add_part(open_queue("jobs", 3));
    int answers = 0;
    v1::Detach request;
    part->wire_->call(v1::OP_DETACH, request, [&answers](const Result<const Frame*>&) { ++answers; });
    const auto first = expect<v1::Detach>(v1::OP_DETACH);
    part->wire_->call(v1::OP_DETACH, request, [&answers](const Result<const Frame*>&) { ++answers; });
    expect<v1::Detach>(v1::OP_DETACH);
    answer_ok(first.req());
    EXPECT_EQ(answers, 1);
    reconnect(hello_ok(2));
    answer_ok(first.req() + 1);
    EXPECT_EQ(answers, 1);
}

TEST_F(CoreTest, AnAnswerOfTheWrongOpEndsTheConnection) {
    greet(hello_ok());
    call(v1::OP_JOIN);
    answer_ok(expect<v1::Join>(v1::OP_JOIN).req());
    EXPECT_EQ(core_.transport(), nullptr);
    EXPECT_TRUE(ended_.empty());
}

TEST_F(CoreTest, CallsAreSentAgainUntilTheyAreAnswered) {
    call(v1::OP_SEAL);
    greet(hello_ok());
    const auto first = expect<v1::Join>(v1::OP_SEAL);
    reconnect(hello_ok(2));
    const auto second = expect<v1::Join>(v1::OP_SEAL);
    EXPECT_GT(second.req(), first.req());
    EXPECT_EQ(second.epoch(), 2U);
    answer_ok(first.req());
    EXPECT_TRUE(ended_.empty());
    answer_ok(second.req());
    EXPECT_EQ(ended_, (Told{"answer", "ok"}));
}

TEST_F(CoreTest, CallsOfAQueueWaitUntilItIsOpen) {
    greet(hello_ok());
    const auto link = open_queue("jobs", 3);
    reconnect(hello_ok(2));
    const auto open = expect<v1::Open>(v1::OP_OPEN);
    call(v1::OP_SEAL, link);
    EXPECT_FALSE(net_.take());
    answer_open(open, 8);
    EXPECT_EQ(expect<v1::Join>(v1::OP_SEAL).handle(), 8U);
}

TEST_F(CoreTest, ACallThatABrokerCannotAnswerNowWaitsForTheNextOne) {
    greet(hello_ok());
    call(v1::OP_SEAL);
    answer_error(expect<v1::Join>(v1::OP_SEAL).req(), Code::kRestarting);
    EXPECT_TRUE(ended_.empty());
    reconnect(hello_ok(2));
    answer_ok(expect<v1::Join>(v1::OP_SEAL).req());
    EXPECT_EQ(ended_, (Told{"answer", "ok"}));
}

TEST_F(CoreTest, ALateCallIsTakenBack) {
    greet(hello_ok());
    call(v1::OP_JOIN, nullptr, now_ + 3s);
    const auto join = expect<v1::Join>(v1::OP_JOIN);
    work(2s);
    EXPECT_TRUE(ended_.empty());
    work(1s);
    ASSERT_EQ(ended_.size(), 1U);
    EXPECT_TRUE(ended_[0].starts_with(info(Code::kTimeout).name));
    EXPECT_EQ(expect<v1::Leave>(v1::OP_LEAVE).req(), join.req());
}

TEST_F(CoreTest, NeverConnectedIsUnreachableWithTheAddress) {
    call(v1::OP_SEAL);
    net_.down("nobody listens there");
    work();
    work(10s);
    ASSERT_EQ(ended_.size(), 1U);
    EXPECT_EQ(ended_[0], std::string(info(Code::kUnreachable).name) + " tcp://broker:1: nobody listens there");
}

TEST_F(CoreTest, OnceConnectedACallWaitsForTheBrokerToComeBack) {
    greet(hello_ok());
    net_.down("cut");
    work();
    call(v1::OP_SEAL, nullptr, now_ + 60s);
    work(59s);
    EXPECT_TRUE(ended_.empty());
    work(1s);
    ASSERT_EQ(ended_.size(), 1U);
    EXPECT_TRUE(ended_[0].starts_with(info(Code::kTimeout).name));
}

TEST_F(CoreTest, AnotherVersionFailsCallsAtOnce) {
    call(v1::OP_SEAL);
    net_.up();
    work();
    answer_error(0, Code::kVersion);
    ASSERT_EQ(ended_.size(), 1U);
    EXPECT_TRUE(ended_[0].starts_with(info(Code::kVersion).name));
}

TEST_F(CoreTest, AKeyThatIsRefusedFailsCallsAtOnceAndEachTime) {
    call(v1::OP_SEAL);
    net_.refuse({.reason = "unknown key", .code = Code::kAuth});
    work();
    ASSERT_EQ(ended_.size(), 1U);
    EXPECT_TRUE(ended_[0].starts_with(info(Code::kAuth).name));
    call(v1::OP_SEAL);
    ASSERT_EQ(ended_.size(), 2U) << "without another try";
    EXPECT_TRUE(ended_[1].starts_with(info(Code::kAuth).name));
    work(11s);
    greet(hello_ok());
    call(v1::OP_SEAL);
    EXPECT_EQ(ended_.size(), 2U) << "it lets us in now";
}

TEST_F(CoreTest, ARemovedUserIsToldEvenLater) {
    greet(hello_ok());
    call(v1::OP_SEAL);
    answer_error(0, Code::kAuth);
    ASSERT_EQ(ended_.size(), 1U);
    EXPECT_TRUE(ended_[0].starts_with(info(Code::kAuth).name));
}

TEST_F(CoreTest, HandshakesCutShortOnceInAWhileAreNoRefusal) {
    call(v1::OP_SEAL);
    for (int i = 0; i < 2; ++i) {
        net_.refuse({.reason = "closed", .maybe_keys = true});
        work();
        work(11s);
    }
    EXPECT_TRUE(ended_.empty() || !ended_[0].starts_with(info(Code::kAuth).name));
}

TEST_F(CoreTest, HandshakesCutShortAgainAndAgainAre) {
    call(v1::OP_SEAL);
    // Each second one is reset instead, which a broker that closes may do by chance.
    for (int i = 0; i < 40 && ended_.empty(); ++i) {
        net_.refuse({.reason = "closed: is it the right key?", .maybe_keys = i % 2 == 0, .reset = i % 2 == 1});
        work();
        for (int ms = 0; ms < 20 && core_.transport() == nullptr && ended_.empty(); ++ms) work(100ms);
    }
    ASSERT_EQ(ended_.size(), 1U);
    EXPECT_TRUE(ended_[0].starts_with(info(Code::kAuth).name)) << ended_[0];
}

TEST_F(CoreTest, ToldWhetherThereIsABroker) {
    greet(hello_ok());
    EXPECT_EQ(connected_, std::vector<bool>{true});
    net_.down("cut");
    work();
    EXPECT_EQ(connected_, (std::vector<bool>{true, false}));
}

TEST_F(CoreTest, AStaleSessionReconnects) {
    greet(hello_ok());
    answer_error(0, Code::kStaleSession);
    EXPECT_EQ(core_.transport(), nullptr);
    work(11s);
    EXPECT_EQ(greet(hello_ok(3, true)).resume_session(), 7U);
}

TEST_F(CoreTest, AnErrorOfNoRequestIsOnlyLogged) {
    greet(hello_ok());
    answer_error(0, Code::kDiskFull);
    EXPECT_NE(core_.transport(), nullptr);
    EXPECT_EQ(log_.size(), 2U);
}

TEST_F(CoreTest, GoodbyeIsKeptUntilTheBrokerCloses) {
    greet(hello_ok());
    v1::Goodbye goodbye;
    goodbye.set_code(static_cast<std::uint32_t>(Code::kRestarting));
    goodbye.set_retry_after_ms(3'000);
    net_.send(v1::OP_GOODBYE, goodbye);
    work();
    EXPECT_NE(core_.transport(), nullptr);
    net_.down("closed");
    work();
    EXPECT_EQ(core_.transport(), nullptr);
    work(2s);
    EXPECT_EQ(net_.connections(), 1) << "the broker asked for 3 s";
    work(1s);
    EXPECT_EQ(net_.connections(), 2);
}

TEST_F(CoreTest, GoodbyeIsNotWaitedForLong) {
    greet(hello_ok());
    net_.send(v1::OP_GOODBYE, v1::Goodbye{});
    work();
    work(2s);
    EXPECT_EQ(core_.transport(), nullptr);
}

TEST_F(CoreTest, PutsStopAtTheLimitOfTheConnection) {
    auto hello = hello_ok();
    hello.mutable_limits()->set_session_put_bytes(100);
    greet(hello);
    const auto part = add_part(open_queue("jobs", 3));
    part->confirms = true;
    const std::vector<Slice> body{Slice::own(std::string(100, 'x'))};
    EXPECT_TRUE(part->wire_->may_put());
    part->wire_->send(v1::OP_PUT, v1::Put{}, body);
    EXPECT_FALSE(part->wire_->may_put());
    const int works = part->works;
    v1::Limit limit;
    limit.set_session_put_bytes(100);
    net_.send(v1::OP_LIMIT, limit);
    work();
    EXPECT_EQ(part->works, works);
    limit.set_session_put_bytes(150);
    net_.send(v1::OP_LIMIT, limit);
    work();
    EXPECT_TRUE(part->wire_->may_put());
    EXPECT_EQ(part->works, works + 1);
}

TEST_F(CoreTest, PartsWorkWhenTheyAreDue) {
    greet(hello_ok());
    const auto part = add_part(open_queue("jobs", 3));
    part->due = now_ + 2s;
    core_.work(*part, now_);
    EXPECT_EQ(core_.next_due(), now_ + 2s);
    const int works = part->works;
    work(1s);
    EXPECT_EQ(part->works, works);
    part->due = Instant::never();
    work(1s);
    EXPECT_EQ(part->works, works + 1);
    EXPECT_EQ(part->worked_at, now_);
}

TEST_F(CoreTest, AReleasedQueueIsClosedWhenItsPartsAreIdle) {
    greet(hello_ok());
    const auto link = open_queue("jobs", 3);
    const auto part = add_part(link);
    part->confirms = true;
    part->is_idle = false;
    core_.release(link);
    EXPECT_FALSE(net_.take());
    part->is_idle = true;
    v1::Confirm confirm;
    confirm.set_handle(3);
    net_.send(v1::OP_CONFIRM, confirm);
    work();
    EXPECT_EQ(expect<v1::Close>(v1::OP_CLOSE).handle(), 3U);
    EXPECT_EQ(part->told.at(part->told.size() - 2), "close");
    reconnect(hello_ok(2));
    EXPECT_FALSE(net_.take()) << "it is not opened again";
}

TEST_F(CoreTest, AnAnswerForAQueueThatIsGoneFindsNobody) {
    greet(hello_ok());
    auto link = open_queue("jobs", 3);
    add_part(link);
    v1::OpenProducer request;
    bool told = false;
    static_cast<Wire&>(*link).call(v1::OP_OPEN_PRODUCER, request, [&](const Result<const Frame*>&) { told = true; });
    const auto asked = expect<v1::OpenProducer>(v1::OP_OPEN_PRODUCER);
    core_.release(link);
    link.reset();
    v1::ProducerOpened opened;
    opened.set_req(asked.req());
    net_.send(v1::OP_PRODUCER_OPENED, opened);
    work();
    EXPECT_FALSE(told);
    EXPECT_NE(core_.transport(), nullptr);
}

TEST_F(CoreTest, NonsenseEndsTheConnection) {
    greet(hello_ok());
    net_.send_raw("\x7f???");
    work();
    EXPECT_EQ(core_.transport(), nullptr);
    work(11s);
    greet(hello_ok(2));
    v1::Deliver deliver;
    net_.send(v1::OP_DELIVER, deliver);  // without its bodies
    work();
    EXPECT_EQ(core_.transport(), nullptr);
}

TEST_F(CoreTest, GoodbyeAfterOurByeIsNotKept) {
    greet(hello_ok());
    EXPECT_TRUE(core_.say_bye());
    expect<v1::Bye>(v1::OP_BYE);
    net_.send(v1::OP_GOODBYE, v1::Goodbye{});
    work();
    EXPECT_EQ(core_.transport(), nullptr);
}

TEST_F(CoreTest, ShutFailsWhatIsLeft) {
    greet(hello_ok());
    const auto part = add_part(open_queue("jobs", 3));
    call(v1::OP_SEAL);
    expect<v1::Join>(v1::OP_SEAL);
    EXPECT_TRUE(core_.say_bye());
    expect<v1::Bye>(v1::OP_BYE);
    core_.shut(Error(Code::kStopped));
    EXPECT_EQ(part->told.back(), "failed " + std::string(info(Code::kStopped).name));
    ASSERT_EQ(ended_.size(), 1U);
    EXPECT_TRUE(ended_[0].starts_with(info(Code::kStopped).name));
}

TEST_F(CoreTest, AProducerTheBrokerForgotMakesAllOpenAgain) {
    greet(hello_ok());
    answer_error(0, Code::kUnknownProducer);
    EXPECT_EQ(core_.transport(), nullptr);
}

}  // namespace
}  // namespace telpher::session
