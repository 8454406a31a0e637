#include "producer/put_part.h"

#include <gtest/gtest.h>

#include <future>
#include <string>

#include "proto/session/queue_impl.h"
#include "tests/unit/proto/session/fake_network.h"

namespace telpher::producer {
namespace {

using namespace std::chrono_literals;
using session::FakeNetwork;
using session::hello_ok;

constexpr std::uint64_t kProducer = 0x100000001;

PutOptions within(Millis timeout) {
    PutOptions options;
    options.timeout = timeout;
    return options;
}

/// A queue over an engine whose broker is the test.
class PutPartTest : public testing::Test {
protected:
    explicit PutPartTest(std::string producer_name = {}) {
        engine_ = std::make_shared<session::Engine>(session::Engine::Config{}, net_.factory(), system_clock());
        greet(hello_ok());
        auto opening = std::async(std::launch::async, [this] { return engine_->open("jobs", {}, {}); });
        answer_open(8'000'000);
        queue_.emplace(std::make_shared<Queue::Impl>(engine_, opening.get().value(), std::move(producer_name)));
    }
    ~PutPartTest() override {
        net_.down("the test is over");
        queue_.reset();
        engine_->close();
    }

    void greet(const v1::HelloOk& answer) {
        ASSERT_TRUE(net_.wait_connections(++connections_));
        net_.up();
        ASSERT_TRUE(net_.wait_for<v1::Hello>(v1::OP_HELLO));
        net_.send(v1::OP_HELLO_OK, answer);
    }
    void answer_open(std::uint64_t put_bytes) {
        const auto open = net_.wait_for<v1::Open>(v1::OP_OPEN);
        ASSERT_TRUE(open);
        v1::Opened opened;
        opened.set_req(open->req());
        opened.set_handle(3);
        opened.set_put_bytes(put_bytes);
        net_.send(v1::OP_OPENED, opened);
    }
    /// Answers OPEN_PRODUCER; the id that was asked for.
    std::uint64_t answer_producer(std::uint64_t producer = kProducer, std::uint64_t next = 0) {
        const auto open = net_.wait_for<v1::OpenProducer>(v1::OP_OPEN_PRODUCER);
        if (!open) return 99;
        v1::ProducerOpened opened;
        opened.set_req(open->req());
        opened.set_producer(producer);
        opened.set_next_sequence(next);
        net_.send(v1::OP_PRODUCER_OPENED, opened);
        return open->producer();
    }
    void reconnect(const v1::HelloOk& answer, std::uint64_t next = 0) {
        net_.down("cut");
        greet(answer);
        answer_open(8'000'000);
        EXPECT_EQ(answer_producer(kProducer, next), kProducer);
    }
    /// The next PUT's batch, checked.
    std::optional<batch::View> put(v1::Put* header = nullptr) {
        std::vector<Slice> bodies;
        const auto put = net_.wait_for<v1::Put>(v1::OP_PUT, &bodies);
        if (!put || bodies.size() != 1) return std::nullopt;
        if (header != nullptr) *header = *put;
        const auto& copy = Slice::copy(bodies[0].bytes());
        auto view = batch::View::parse(copy, 1'000'000, 0);
        return view ? std::optional(*view) : std::nullopt;
    }
    void confirm(std::uint64_t first, std::uint64_t count, std::uint64_t offset, Code code = Code::kOk,
                 std::uint64_t producer = kProducer) {
        v1::Confirm confirm;
        confirm.set_handle(3);
        confirm.set_producer(producer);
        std::uint64_t end = 0;
        if (code == Code::kOk) {
            frame::add_run(*confirm.mutable_stored(), end, {first, count, offset});
        } else {
            frame::add_run(*confirm.mutable_refused(), end, {first, count, static_cast<std::uint64_t>(code)});
        }
        confirm.set_decided_below(first + count);
        net_.send(v1::OP_CONFIRM, confirm);
    }
    void parked(std::uint64_t first) {
        v1::Parked parked;
        parked.set_handle(3);
        parked.set_producer(kProducer);
        parked.set_first_sequence(first);
        parked.set_kept(true);
        net_.send(v1::OP_PARKED, parked);
    }
    /// A put on a thread of its own.
    std::future<Result<std::uint64_t>> start_put(std::string body, PutOptions options = {}) {
        return std::async(std::launch::async,
                          [this, body = std::move(body), options] { return queue_->put(body, options); });
    }

    FakeNetwork net_;
    int connections_ = 0;
    std::shared_ptr<session::Engine> engine_;
    std::optional<Queue> queue_;
};

TEST_F(PutPartTest, ABrokerThatTakesLessThanBeforeGetsTheRest) {
    const auto large = queue_->put_async(std::string(5'000, 'x'));
    EXPECT_EQ(answer_producer(), 0U);
    EXPECT_TRUE(put());
    const auto small = queue_->put_async("small");
    v1::HelloOk less = hello_ok();
    less.mutable_limits()->set_message_bytes(1'000);
    reconnect(less, 1);
    const auto again = put();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->count(), 1U);
    EXPECT_EQ(again->header().first, Sequence(1));
    confirm(1, 1, 100);
    EXPECT_EQ(queue_->wait(small.value(), Millis(10'000)).value_or(0), 100U);
    const auto lost = queue_->wait(large.value(), Millis(10'000));
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code(), Code::kUnknown) << "it may have been stored before";
}

TEST_F(PutPartTest, APutReturnsTheIdOfItsConfirm) {
    auto done = start_put("hello");
    EXPECT_EQ(answer_producer(), 0U);
    v1::Put header;
    const auto batch = put(&header);
    ASSERT_TRUE(batch);
    EXPECT_EQ(header.handle(), 3U);
    EXPECT_EQ(header.epoch(), 1U);
    EXPECT_EQ(batch->header().producer, ProducerId(kProducer));
    EXPECT_EQ(batch->header().first, Sequence(0));
    const auto record = batch::decode_record(batch->records(0, 1).bytes());
    ASSERT_TRUE(record);
    EXPECT_EQ(as_text(record->payload), "hello");
    confirm(0, 1, 1'000);
    EXPECT_EQ(done.get().value(), 1'000U);
}

TEST_F(PutPartTest, ARefusalIsAValue) {
    auto done = start_put("x");
    answer_producer();
    ASSERT_TRUE(put());
    confirm(0, 1, 0, Code::kFull);
    EXPECT_EQ(done.get().error().code(), Code::kFull);
    EXPECT_TRUE(queue_->flush(1s)) << "it was told already";
}

TEST_F(PutPartTest, GathersWhileABatchIsInFlight) {
    ASSERT_TRUE(queue_->put_async("first"));
    answer_producer();
    ASSERT_TRUE(put());
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(queue_->put_async("more"));
    EXPECT_FALSE(net_.take());
    confirm(0, 1, 10);
    const auto batch = put();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->count(), 100U);
    EXPECT_EQ(batch->header().first, Sequence(1));
    confirm(1, 100, 11);
    EXPECT_TRUE(queue_->flush(10s));
    EXPECT_EQ(queue_->wait(Ticket{50}).value(), 60U);
}

TEST_F(PutPartTest, FullBatchesDoNotWait) {
    ASSERT_TRUE(queue_->put_async("first"));
    answer_producer();
    ASSERT_TRUE(put());
    const std::string body(10'000, 'x');
    for (int i = 0; i < 60; ++i) ASSERT_TRUE(queue_->put_async(body));
    std::uint64_t next = 1;
    for (int i = 0; i < 2; ++i) {
        const auto batch = put();
        ASSERT_TRUE(batch);
        EXPECT_EQ(batch->header().first.value(), next);
        EXPECT_GT(batch->bytes().size(), 240'000U);
        next += batch->count();
    }
    confirm(0, next, 0);
    ASSERT_TRUE(put()) << "the rest goes with the confirm";
    confirm(next, 61 - next, next);
    EXPECT_TRUE(queue_->flush(10s));
}

TEST_F(PutPartTest, FlushTellsTheFirstRefusalOnce) {
    ASSERT_TRUE(queue_->put_async("a"));
    answer_producer();
    ASSERT_TRUE(put());
    confirm(0, 1, 0, Code::kDiskFull);
    EXPECT_EQ(queue_->flush(10s).error().code(), Code::kDiskFull);
    EXPECT_TRUE(queue_->flush(10s));
    EXPECT_EQ(queue_->wait(Ticket{0}).error().code(), Code::kDiskFull);
}

TEST_F(PutPartTest, SendsUnansweredPutsAgainUnchanged) {
    ASSERT_TRUE(queue_->put_async("first"));
    answer_producer();
    const auto before = put();
    ASSERT_TRUE(before);
    ASSERT_TRUE(queue_->put_async("second"));
    reconnect(hello_ok(2, true));
    v1::Put header;
    const auto again = put(&header);
    ASSERT_TRUE(again);
    EXPECT_EQ(header.epoch(), 2U);
    EXPECT_EQ(as_text(again->bytes().bytes()), as_text(before->bytes().bytes()));
    confirm(0, 1, 5);
    const auto second = put();
    ASSERT_TRUE(second);
    EXPECT_EQ(second->header().first, Sequence(1));
    confirm(1, 1, 6);
    EXPECT_TRUE(queue_->flush(10s));
}

TEST_F(PutPartTest, KnownBelowNeverPassesWhatMayBeSentAgain) {
    ASSERT_TRUE(queue_->put_async("a"));
    ASSERT_TRUE(queue_->put_async("b"));
    answer_producer();
    const auto first = put();
    ASSERT_TRUE(first);
    const std::uint64_t count = first->count();
    if (count == 1) {
        confirm(0, 1, 0);
        ASSERT_TRUE(put());
        confirm(1, 1, 1);
    } else {
        confirm(0, 2, 0);
    }
    ASSERT_TRUE(queue_->flush(10s));
    ASSERT_TRUE(queue_->put_async("c"));
    v1::Put header;
    ASSERT_TRUE(put(&header));
    EXPECT_EQ(header.known_below(), 2U);
    confirm(2, 1, 2);
    ASSERT_TRUE(queue_->flush(10s));
}

TEST_F(PutPartTest, ATimedOutPutIsTakenOutOfLineFirst) {
    auto done = start_put("late", within(50ms));
    answer_producer();
    ASSERT_TRUE(put());
    parked(0);
    const auto cancel = net_.wait_for<v1::Cancel>(v1::OP_CANCEL);
    ASSERT_TRUE(cancel);
    EXPECT_EQ(cancel->first_sequence(), 0U);
    EXPECT_EQ(cancel->count(), 1U);
    EXPECT_EQ(cancel->producer(), kProducer);
    EXPECT_EQ(done.wait_for(0s), std::future_status::timeout) << "before the answer nothing is certain";
    confirm(0, 1, 0, Code::kCancelled);
    EXPECT_EQ(done.get().error().code(), Code::kTimeout);
}

TEST_F(PutPartTest, ACancelThatCameTooLateIsASuccess) {
    auto done = start_put("late", within(20ms));
    answer_producer();
    ASSERT_TRUE(put());
    ASSERT_TRUE(net_.wait_for<v1::Cancel>(v1::OP_CANCEL));
    confirm(0, 1, 42);
    EXPECT_EQ(done.get().value(), 42U);
}

TEST_F(PutPartTest, AStoppedPutThatWasNotSentIsTakenBackHere) {
    ASSERT_TRUE(queue_->put_async("first"));
    answer_producer();
    ASSERT_TRUE(put());
    std::stop_source stop;
    PutOptions options;
    options.stop = stop.get_token();
    auto done = start_put("second", options);
    while (!queue_->wait(Ticket{1}, 0ms) && queue_->wait(Ticket{1}, 0ms).error().code() == Code::kUsage) continue;
    stop.request_stop();
    EXPECT_EQ(done.get().error().code(), Code::kStopped);
    ASSERT_TRUE(queue_->put_async("third"));
    confirm(0, 1, 0);
    const auto batch = put();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->header().first, Sequence(2)) << "a hole";
    confirm(2, 1, 1);
    EXPECT_TRUE(queue_->flush(10s));
}

TEST_F(PutPartTest, CancelsAgainOnANewConnection) {
    auto done = start_put("late", within(30ms));
    answer_producer();
    ASSERT_TRUE(put());
    parked(0);
    ASSERT_TRUE(net_.wait_for<v1::Cancel>(v1::OP_CANCEL));
    reconnect(hello_ok(2, true));
    ASSERT_TRUE(put());
    ASSERT_TRUE(net_.wait_for<v1::Cancel>(v1::OP_CANCEL));
    confirm(0, 1, 0, Code::kCancelled);
    EXPECT_EQ(done.get().error().code(), Code::kTimeout);
}

// A broker that was started again knows nothing of what it refused: sent again it would be stored.
TEST_F(PutPartTest, WhatWasRefusedIsNotSentToARestartedBroker) {
    ASSERT_TRUE(queue_->put_async("first"));
    answer_producer();
    ASSERT_TRUE(put());
    ASSERT_TRUE(queue_->put_async("before"));
    PutOptions options = within(100ms);
    auto cancelled = start_put("cancelled", options);
    while (queue_->wait(Ticket{2}, 0ms).error().code() == Code::kUsage) continue;
    ASSERT_TRUE(queue_->put_async("after"));
    confirm(0, 1, 10);
    const auto batch = put();
    ASSERT_TRUE(batch);
    ASSERT_EQ(batch->count(), 3U);
    parked(1);
    const auto cancel = net_.wait_for<v1::Cancel>(v1::OP_CANCEL);
    ASSERT_TRUE(cancel);
    ASSERT_EQ(cancel->first_sequence(), 2U);
    v1::Confirm out_of_line;
    out_of_line.set_handle(3);
    out_of_line.set_producer(kProducer);
    std::uint64_t end = 0;
    frame::add_run(*out_of_line.mutable_refused(), end, {2, 1, static_cast<std::uint64_t>(Code::kCancelled)});
    out_of_line.set_decided_below(1);
    net_.send(v1::OP_CONFIRM, out_of_line);
    ASSERT_EQ(cancelled.get().error().code(), Code::kTimeout);

    reconnect(hello_ok(1, false, 200), 1);
    auto again = put();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->header().first, Sequence(1));
    EXPECT_EQ(again->count(), 1U);
    again = put();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->header().first, Sequence(3));
    EXPECT_EQ(again->count(), 1U);
    const auto record = batch::decode_record(again->records(0, 1).bytes());
    ASSERT_TRUE(record);
    EXPECT_EQ(as_text(record->payload), "after");
    EXPECT_FALSE(net_.take()) << "nor is its cancel";
    confirm(1, 1, 11);
    confirm(3, 1, 12);
    EXPECT_TRUE(queue_->flush(10s));
}

TEST_F(PutPartTest, AProducerThatTheBrokerForgotGoesOnAsAnother) {
    ASSERT_TRUE(queue_->put_async("lost"));
    answer_producer();
    ASSERT_TRUE(put());
    confirm(0, 1, 0, Code::kUnknownProducer);
    EXPECT_EQ(answer_producer(kProducer + 1), 0U);
    EXPECT_EQ(queue_->wait(Ticket{0}, 10s).error().code(), Code::kUnknown);
    (void)queue_->flush(10s);
    ASSERT_TRUE(queue_->put_async("next"));
    const auto next = put();
    ASSERT_TRUE(next);
    EXPECT_EQ(next->header().producer, ProducerId(kProducer + 1));
    EXPECT_EQ(next->header().first, Sequence(0));
    confirm(0, 1, 5, Code::kOk, kProducer + 1);
    EXPECT_EQ(queue_->wait(Ticket{1}, 10s).value(), 5U);
}

TEST_F(PutPartTest, ManyGoInOrderAndCollectTheirRuns) {
    std::vector<std::string> bodies;
    for (int i = 0; i < 10'000; ++i) bodies.push_back(std::to_string(i));
    const std::vector<std::string_view> views(bodies.begin(), bodies.end());
    auto done = std::async(std::launch::async, [&] { return queue_->put_many(views); });
    answer_producer();
    std::uint64_t next = 0;
    while (next < 10'000) {
        const auto batch = put();
        ASSERT_TRUE(batch);
        ASSERT_EQ(batch->header().first.value(), next);
        // Admitted in parts of 50, with another producer's messages in between.
        for (std::uint32_t i = 0; i < batch->count(); i += 50) {
            const auto count = std::min<std::uint32_t>(50, batch->count() - i);
            confirm(next, count, 2 * next);
            next += count;
        }
    }
    const auto runs = done.get();
    ASSERT_TRUE(runs);
    std::uint64_t at = 0;
    for (const auto& run : *runs) {
        EXPECT_EQ(run.first, at);
        EXPECT_EQ(run.code, Code::kOk);
        EXPECT_EQ(run.id, 2 * run.first);
        at += run.count;
    }
    EXPECT_EQ(at, 10'000U);
}

TEST_F(PutPartTest, ManyThatTimeOutAreCancelledFromThere) {
    const std::vector<std::string_view> bodies(100, "x");
    auto done = std::async(std::launch::async, [&] { return queue_->put_many(bodies, within(100ms)); });
    answer_producer();
    const auto batch = put();
    ASSERT_TRUE(batch);
    confirm(0, 1, 7);
    const auto cancel = net_.wait_for<v1::Cancel>(v1::OP_CANCEL);
    ASSERT_TRUE(cancel);
    const std::uint64_t end = cancel->first_sequence() + cancel->count();
    confirm(1, end - 1, 0, Code::kCancelled);
    const auto runs = done.get();
    ASSERT_TRUE(runs);
    ASSERT_EQ(runs->size(), 2U);
    EXPECT_EQ(runs->at(0).id, 7U);
    EXPECT_EQ(runs->at(1).code, Code::kCancelled);
    EXPECT_EQ(runs->at(1).count, 99U);
}

TEST_F(PutPartTest, CancelTakesBackAllThatHasNoOutcome) {
    std::vector<Confirmed> told;
    queue_->on_confirm([&](const Confirmed& run) { told.push_back(run); });
    ASSERT_TRUE(queue_->put_async("a"));
    answer_producer();
    ASSERT_TRUE(put());
    parked(0);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue_->put_async("behind the parked one"));
    auto done = std::async(std::launch::async, [this] { return queue_->cancel(); });
    const auto cancel = net_.wait_for<v1::Cancel>(v1::OP_CANCEL);
    ASSERT_TRUE(cancel);
    EXPECT_EQ(cancel->first_sequence(), 0U);
    EXPECT_EQ(cancel->count(), 1U) << "the others were never sent";
    confirm(0, 1, 7);  // It was admitted just before.
    EXPECT_TRUE(done.get());
    ASSERT_EQ(told.size(), 2U);
    EXPECT_EQ(told[0].code, Code::kOk);
    EXPECT_EQ(told[1].code, Code::kCancelled);
    EXPECT_EQ(told[1].first, 1U);
    EXPECT_EQ(told[1].count, 3U);
    EXPECT_TRUE(queue_->flush()) << "what was asked for is no refusal";
    EXPECT_TRUE(queue_->cancel()) << "nothing to take back";
}

TEST_F(PutPartTest, WaitsWhenTooMuchHasNoOutcome) {
    const std::string body(900'000, 'x');
    ASSERT_TRUE(queue_->put_async(body));
    answer_producer();
    int taken = 1;
    while (queue_->put_async(body, within(0ms))) ++taken;
    EXPECT_LE(taken, 20);
    auto blocked = std::async(std::launch::async, [&] { return queue_->put_async(body); });
    ASSERT_TRUE(put());
    confirm(0, 1, 0);
    EXPECT_TRUE(blocked.get());
}

TEST_F(PutPartTest, ATooLargeMessageIsRefusedHere) {
    const std::string body(1'000'001, 'x');
    EXPECT_EQ(queue_->put(body).error().code(), Code::kTooLarge);
    const std::vector<std::string_view> bodies{"ok", body};
    EXPECT_EQ(queue_->put_many(bodies).error().code(), Code::kTooLarge);
}

TEST_F(PutPartTest, ABrokerThatForgotTheProducerMakesTheRestUnknown) {
    ASSERT_TRUE(queue_->put_async("old"));
    answer_producer();
    ASSERT_TRUE(put());
    confirm(0, 1, 0);
    ASSERT_TRUE(queue_->flush(10s));
    auto sent = start_put("sent");
    ASSERT_TRUE(put());
    auto unsent = start_put("unsent");
    while (queue_->wait(Ticket{2}, 0ms).error().code() == Code::kUsage) continue;
    reconnect(hello_ok(1, false, 555));
    EXPECT_EQ(sent.get().error().code(), Code::kUnknown);
    EXPECT_EQ(answer_producer(kProducer + 1), 0U);
    const auto batch = put();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->header().producer, ProducerId(kProducer + 1));
    EXPECT_EQ(batch->header().first, Sequence(0));
    confirm(0, 1, 9, Code::kOk, kProducer + 1);
    EXPECT_EQ(unsent.get().value(), 9U);
}

TEST_F(PutPartTest, CallbacksComeInOrderOnAnotherThread) {
    std::mutex mutex;
    std::vector<Confirmed> told;
    const auto here = std::this_thread::get_id();
    queue_->on_confirm([&](const Confirmed& run) {
        EXPECT_NE(std::this_thread::get_id(), here);
        const std::lock_guard lock(mutex);
        told.push_back(run);
    });
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue_->put_async("x"));
    answer_producer();
    std::uint64_t next = 0;
    while (next < 3) {
        const auto batch = put();
        ASSERT_TRUE(batch);
        confirm(next, batch->count(), 100 + next);
        next += batch->count();
    }
    ASSERT_TRUE(queue_->flush(10s));
    const std::lock_guard lock(mutex);
    std::uint64_t at = 0;
    for (const auto& run : told) {
        EXPECT_EQ(run.first, at);
        EXPECT_EQ(run.id, 100 + at);
        at += run.count;
    }
    EXPECT_EQ(at, 3U);
    EXPECT_THROW(queue_->on_confirm([](const Confirmed&) {}), std::logic_error);
}

TEST_F(PutPartTest, AQueueThatIsLetGoIsClosedAfterItsCallbacks) {
    std::promise<void> entered;
    std::promise<void> gate;
    queue_->on_confirm([&](const Confirmed&) {
        entered.set_value();
        gate.get_future().wait();
    });
    ASSERT_TRUE(queue_->put_async("x"));
    answer_producer();
    ASSERT_TRUE(put());
    confirm(0, 1, 1);
    entered.get_future().wait();
    queue_.reset();
    EXPECT_FALSE(net_.take());
    gate.set_value();
    const auto close_producer = net_.wait_for<v1::CloseProducer>(v1::OP_CLOSE_PRODUCER);
    ASSERT_TRUE(close_producer);
    EXPECT_EQ(close_producer->producer(), kProducer);
    EXPECT_TRUE(net_.wait_for<v1::Close>(v1::OP_CLOSE));
}

TEST_F(PutPartTest, APutUnderALeaseNamesIt) {
    auto impl = std::make_shared<Queue::Impl>(engine_, nullptr);
    auto opening = std::async(std::launch::async, [this] { return engine_->open("jobs", {}, {}); });
    answer_open(1'000'000);
    impl->link = opening.get().value();
    auto done = std::async(std::launch::async, [&] { return session::put_under(*impl, "child", {77, 2}, {}); });
    answer_producer();
    v1::Put header;
    ASSERT_TRUE(put(&header));
    EXPECT_EQ(header.under_offset(), 77U);
    EXPECT_EQ(header.under_delivery(), 2U);
    confirm(0, 1, 1);
    EXPECT_TRUE(done.get());
}

TEST_F(PutPartTest, AfterTheClientIsClosedNothingIsTaken) {
    ASSERT_TRUE(queue_->put_async("sent"));
    answer_producer();
    ASSERT_TRUE(put());
    ASSERT_TRUE(queue_->put_async("unsent"));
    net_.down("over");
    engine_->close();
    EXPECT_EQ(queue_->wait(Ticket{0}).error().code(), Code::kUnknown);
    EXPECT_EQ(queue_->wait(Ticket{1}).error().code(), Code::kStopped);
    EXPECT_EQ(queue_->put("more").error().code(), Code::kStopped);
}

TEST_F(PutPartTest, ATicketNeverGivenIsMisuse) { EXPECT_EQ(queue_->wait(Ticket{12}).error().code(), Code::kUsage); }

TEST_F(PutPartTest, AConfirmOfWhatWasNeverSentEndsTheConnection) {
    ASSERT_TRUE(queue_->put_async("a"));
    answer_producer();
    ASSERT_TRUE(put());
    confirm(0, 5, 0);
    EXPECT_TRUE(net_.wait_connections(connections_ + 1));
}

/// The same with a name.
class NamedPutPartTest : public PutPartTest {
protected:
    NamedPutPartTest() : PutPartTest("tail") {}

    /// Asks where the name goes on, and answers.
    void begin(std::uint64_t next) {
        auto asked = std::async(std::launch::async, [this] { return queue_->next_sequence(); });
        const auto open = net_.wait_for<v1::OpenProducer>(v1::OP_OPEN_PRODUCER);
        ASSERT_TRUE(open);
        EXPECT_EQ(open->name(), "tail");
        EXPECT_EQ(open->producer(), 0U);
        v1::ProducerOpened opened;
        opened.set_req(open->req());
        opened.set_producer(kProducer);
        opened.set_next_sequence(next);
        net_.send(v1::OP_PRODUCER_OPENED, opened);
        EXPECT_EQ(asked.get().value(), next);
    }
    /// Has put record 3, unanswered, when the connection is lost; what it says to go on.
    std::optional<v1::OpenProducer> reconnect_with_a_put() {
        begin(3);
        EXPECT_TRUE(queue_->put_async("x"));
        EXPECT_TRUE(put());
        net_.down("cut");
        greet(hello_ok());
        answer_open(8'000'000);
        return net_.wait_for<v1::OpenProducer>(v1::OP_OPEN_PRODUCER);
    }
    void refuse_open(const v1::OpenProducer& open, Code code) {
        v1::Error error;
        error.set_req(open.req());
        error.set_code(static_cast<std::uint32_t>(code));
        net_.send(v1::OP_ERROR, error);
    }
};

TEST_F(NamedPutPartTest, GoesOnWhereTheNameEnded) {
    begin(41);
    EXPECT_EQ(queue_->put_async("x").value().sequence, 41U);
    const auto batch = put();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->header().first, Sequence(41));
    confirm(41, 1, 7);
    EXPECT_EQ(queue_->wait(Ticket{41}).value(), 7U);
    EXPECT_EQ(queue_->next_sequence().value(), 42U);
}

TEST_F(NamedPutPartTest, APutWaitsForItsNumber) {
    auto done = start_put("x");
    EXPECT_EQ(answer_producer(kProducer, 5), 0U);
    const auto batch = put();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->header().first, Sequence(5));
    confirm(5, 1, 7);
    EXPECT_EQ(done.get().value(), 7U);
}

TEST_F(NamedPutPartTest, CallbacksMayBeSetAfterTheNumberIsKnown) {
    begin(3);
    std::promise<Confirmed> told;
    queue_->on_confirm([&](const Confirmed& run) { told.set_value(run); });
    ASSERT_TRUE(queue_->put_async("x"));
    ASSERT_TRUE(put());
    confirm(3, 1, 9);
    EXPECT_EQ(told.get_future().get().first, 3U);
}

TEST_F(NamedPutPartTest, NothingIsTakenAfterARefusal) {
    begin(3);
    ASSERT_TRUE(queue_->put_async("x"));
    ASSERT_TRUE(put());
    confirm(3, 1, 0, Code::kFull);
    EXPECT_EQ(queue_->wait(Ticket{3}).error().code(), Code::kFull);
    EXPECT_EQ(queue_->put("y").error().code(), Code::kCancelled);
    EXPECT_EQ(queue_->next_sequence().error().code(), Code::kCancelled);
}

TEST_F(NamedPutPartTest, GoesOnWithIdAndNameAfterAReconnect) {
    const auto open = reconnect_with_a_put();
    ASSERT_TRUE(open);
    EXPECT_EQ(open->producer(), kProducer);
    EXPECT_EQ(open->name(), "tail");
    v1::ProducerOpened opened;
    opened.set_req(open->req());
    opened.set_producer(kProducer);
    opened.set_next_sequence(3);
    net_.send(v1::OP_PRODUCER_OPENED, opened);
    const auto again = put();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->header().first, Sequence(3));
    confirm(3, 1, 1);
    EXPECT_TRUE(queue_->wait(Ticket{3}));
}

TEST_F(NamedPutPartTest, WhoIsFencedMeanwhilePutsNoMoreAndDoesNotTakeTheNameBack) {
    const auto open = reconnect_with_a_put();
    ASSERT_TRUE(open);
    refuse_open(*open, Code::kFenced);
    EXPECT_EQ(queue_->wait(Ticket{3}).error().code(), Code::kUnknown);
    EXPECT_EQ(queue_->put("y").error().code(), Code::kFenced);
    EXPECT_EQ(queue_->next_sequence().error().code(), Code::kFenced);
    EXPECT_FALSE(net_.take());
}

TEST_F(NamedPutPartTest, ARefusedPutSaysThatItIsFenced) {
    begin(3);
    ASSERT_TRUE(queue_->put_async("x"));
    ASSERT_TRUE(put());
    confirm(3, 1, 0, Code::kFenced);
    EXPECT_EQ(queue_->wait(Ticket{3}).error().code(), Code::kFenced);
    EXPECT_EQ(queue_->put("y").error().code(), Code::kFenced);
}

TEST_F(NamedPutPartTest, ABrokerThatLeavesNoSequencesIsNotBelieved) {
    auto done = start_put("x");
    EXPECT_EQ(answer_producer(kProducer, UINT64_MAX), 0U);
    EXPECT_EQ(done.get().error().code(), Code::kProtocol);
}

TEST_F(PutPartTest, ABrokerThatGivesNoProducerIsNotBelieved) {
    auto done = start_put("x");
    EXPECT_EQ(answer_producer(0), 0U);
    EXPECT_EQ(done.get().error().code(), Code::kProtocol);
}

TEST_F(NamedPutPartTest, AForgottenNameIsNotBegunAgain) {
    begin(3);
    ASSERT_TRUE(queue_->put_async("x"));
    ASSERT_TRUE(put());
    confirm(3, 1, 0, Code::kUnknownProducer);
    EXPECT_EQ(queue_->wait(Ticket{3}).error().code(), Code::kUnknown);
    EXPECT_EQ(queue_->put("y").error().code(), Code::kUnknownProducer);
}

}  // namespace
}  // namespace telpher::producer
