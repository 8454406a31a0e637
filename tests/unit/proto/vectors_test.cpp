// Our codec against the vectors of the document, which another implementation wrote: each is decoded, checked field by
// field where that tells something, and made again from scratch, byte for byte.
#include "tests/unit/proto/vectors.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>

#include "proto/batch.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "tests/unit/proto/raw_batch.h"

namespace telpher {
namespace {

using namespace std::string_literals;
using test::Headers;

constexpr std::uint64_t kSession = 0x1122334455667788;
constexpr std::uint64_t kBoot = 0x0102030405060708;
constexpr std::uint64_t kProducer = 0x300000001;
constexpr std::int64_t kPutMs = 1'700'000'000'000;
const std::string kToken = "\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf";

class VectorsTest : public testing::Test {
protected:
    static void SetUpTestSuite() { vectors = test::load_vectors(); }

    /// The vector is the op with what `fill` sets, and nothing else.
    template <class Message>
    void expect(const std::string& name, v1::Op op, const std::function<void(Message&)>& fill) {
        SCOPED_TRACE(name);
        ASSERT_TRUE(vectors.contains(name));
        const std::string& header = vectors[name].front();
        ASSERT_EQ(vectors[name].size(), 1 + frame::body_frames(op));
        EXPECT_EQ(frame::op_of(as_bytes(header)), op);
        Message expected;
        fill(expected);
        EXPECT_EQ(frame::encode(op, expected), header);
        Message parsed;
        ASSERT_TRUE(frame::parse(as_bytes(header), parsed));
        EXPECT_EQ(frame::encode(op, parsed), header);
    }

    static const std::string& body(const std::string& name, std::size_t index) { return vectors[name].at(index); }

private:
    static test::Vectors vectors;
};

test::Vectors VectorsTest::vectors;

frame::Numbers runs(const std::vector<frame::Run>& list) {
    frame::Numbers numbers;
    std::uint64_t end = 0;
    for (const frame::Run& run : list) frame::add_run(numbers, end, run);
    return numbers;
}

Result<batch::View> parse(const std::string& bytes, std::uint32_t columns = 0) {
    return batch::View::parse(Slice::own(bytes), limits::kMessageBytesDefault, columns);
}

TEST_F(VectorsTest, Session) {
    expect<v1::Hello>("hello", v1::OP_HELLO, [](v1::Hello& m) {
        m.set_proto_min(1);
        m.set_proto_max(1);
        m.set_client_name("worker-1");
    });
    expect<v1::Hello>("hello_resume", v1::OP_HELLO, [](v1::Hello& m) {
        m.set_proto_min(1);
        m.set_proto_max(1);
        m.set_client_name("worker-1");
        m.set_resume_session(kSession);
        m.set_resume_token(kToken);
    });
    expect<v1::HelloOk>("hello_ok", v1::OP_HELLO_OK, [](v1::HelloOk& m) {
        m.set_proto(1);
        m.set_boot_id(kBoot);
        m.set_session(kSession);
        m.set_token(kToken);
        m.set_epoch(1);
        m.set_lease_ms(static_cast<std::uint32_t>(std::chrono::milliseconds(limits::kSessionLease).count()));
        m.set_heartbeat_ms(static_cast<std::uint32_t>(std::chrono::milliseconds(limits::kHeartbeat).count()));
        m.set_resume_grace_ms(static_cast<std::uint32_t>(std::chrono::milliseconds(limits::kResumeGrace).count()));
        v1::Limits& limits = *m.mutable_limits();
        limits.set_message_bytes(limits::kMessageBytesDefault);
        limits.set_batch_bytes(limits::kBatchBytesMax);
        limits.set_batch_count(limits::kBatchCountMax);
        limits.set_session_put_bytes(limits::kSessionPutWindowBytes);
        limits.set_puts_in_flight(limits::kPutsInFlightMax);
        limits.set_credit_messages(limits::kCreditMessagesMax);
        limits.set_credit_bytes(limits::kCreditBytesMax);
        limits.set_settle_ranges(limits::kSettleRangesMax);
        limits.set_handles(limits::kHandlesMax);
        m.set_shard_count(1);
        m.add_shard_map();
        m.set_version("0.1.0");
    });
    expect<v1::Ping>("ping", v1::OP_PING, [](v1::Ping& m) {
        m.set_epoch(1);
        m.set_stamp(12345);
    });
    expect<v1::Pong>("pong", v1::OP_PONG, [](v1::Pong& m) { m.set_stamp(12345); });
    expect<v1::Bye>("bye", v1::OP_BYE, [](v1::Bye& m) { m.set_epoch(1); });
    expect<v1::Goodbye>("goodbye", v1::OP_GOODBYE, [](v1::Goodbye& m) {
        m.set_code(static_cast<std::uint32_t>(Code::kRestarting));
        m.set_detail("stopping");
        m.set_retry_after_ms(1000);
    });
    expect<v1::Error>("error", v1::OP_ERROR, [](v1::Error& m) {
        m.set_req(7);
        m.set_code(static_cast<std::uint32_t>(Code::kNotFound));
        m.set_detail("jobs");
    });
    expect<v1::Ok>("ok", v1::OP_OK, [](v1::Ok& m) { m.set_req(8); });
}

TEST_F(VectorsTest, Queues) {
    expect<v1::Open>("open", v1::OP_OPEN, [](v1::Open& m) {
        m.set_epoch(1);
        m.set_req(1);
        m.set_name("jobs");
        m.set_create(true);
        m.mutable_options()->set_maxsize(50);
        m.mutable_options()->set_on_full(1);
        m.mutable_options()->set_lease_ms(0);
    });
    expect<v1::Opened>("opened", v1::OP_OPENED, [](v1::Opened& m) {
        m.set_req(1);
        m.set_handle(1);
        m.set_generation(1);
        v1::QueueOptions& options = *m.mutable_options();
        options.set_maxsize(50);
        options.set_max_bytes(0);
        options.set_on_full(1);
        options.set_durability(1);
        options.set_lease_ms(0);
        m.set_put_bytes(limits::kHandlePutWindowBytes);
        m.set_created(true);
    });
    expect<v1::OpenProducer>("open_producer", v1::OP_OPEN_PRODUCER, [](v1::OpenProducer& m) {
        m.set_epoch(1);
        m.set_req(2);
        m.set_handle(1);
    });
    expect<v1::ProducerOpened>("producer_opened", v1::OP_PRODUCER_OPENED, [](v1::ProducerOpened& m) {
        m.set_req(2);
        m.set_producer(kProducer);
    });
}

TEST_F(VectorsTest, Puts) {
    expect<v1::Put>("put", v1::OP_PUT, [](v1::Put& m) {
        m.set_epoch(1);
        m.set_handle(1);
    });
    expect<v1::Put>("put_under_lease", v1::OP_PUT, [](v1::Put& m) {
        m.set_epoch(1);
        m.set_handle(1);
        m.set_known_below(300);
        m.set_under_offset(17);
        m.set_under_delivery(2);
    });
    expect<v1::Limit>("limit", v1::OP_LIMIT, [](v1::Limit& m) {
        m.set_handle(1);
        m.set_put_bytes(9 * limits::kMiB);
        m.set_session_put_bytes(17 * limits::kMiB);
    });
    expect<v1::Parked>("parked", v1::OP_PARKED, [](v1::Parked& m) {
        m.set_handle(1);
        m.set_producer(kProducer);
        m.set_first_sequence(11);
        m.set_kept(true);
    });
    expect<v1::Room>("room", v1::OP_ROOM, [](v1::Room& m) {
        m.set_handle(1);
        m.set_producer(kProducer);
        m.set_first_sequence(13);
    });
    expect<v1::Cancel>("cancel", v1::OP_CANCEL, [](v1::Cancel& m) {
        m.set_epoch(1);
        m.set_handle(1);
        m.set_producer(kProducer);
        m.set_first_sequence(11);
        m.set_count(2);
    });
}

TEST_F(VectorsTest, Verdicts) {
    expect<v1::Confirm>("confirm_stored", v1::OP_CONFIRM, [](v1::Confirm& m) {
        m.set_handle(1);
        m.set_producer(kProducer);
        m.set_decided_below(2);
        *m.mutable_stored() = runs({{0, 2, 1000}});
        m.set_put_bytes(8 * limits::kMiB + body("put", 1).size());
        m.set_session_put_bytes(16 * limits::kMiB + body("put", 1).size());
    });
    expect<v1::Confirm>("confirm_refused", v1::OP_CONFIRM, [](v1::Confirm& m) {
        m.set_handle(1);
        m.set_producer(kProducer);
        m.set_decided_below(11);
        *m.mutable_stored() = runs({{2, 2, 1002}, {9, 1, 1004}});
        *m.mutable_refused() = runs(
            {{4, 5, static_cast<std::uint64_t>(Code::kFull)}, {10, 1, static_cast<std::uint64_t>(Code::kCancelled)}});
    });
}

TEST_F(VectorsTest, Gets) {
    const auto attach = [](v1::Attach& m) {
        m.set_epoch(1);
        m.set_req(3);
        m.set_handle(1);
        m.set_credit_messages(100);
        m.set_credit_bytes(limits::kMiB);
    };
    expect<v1::Attach>("attach", v1::OP_ATTACH, [&attach](v1::Attach& m) {
        attach(m);
        m.set_consumer_name("resize");
    });
    expect<v1::Attach>("attach_held", v1::OP_ATTACH, [&attach](v1::Attach& m) {
        attach(m);
        *m.mutable_held() = runs({{1000, 2, 1}, {1005, 1, 3}});
    });
    expect<v1::Attached>("attached", v1::OP_ATTACHED, [](v1::Attached& m) {
        m.set_req(3);
        m.set_sub(1);
        std::uint64_t end = 0;
        frame::add_range(*m.mutable_lost(), end, 1005, 1);
    });
    expect<v1::Credit>("credit", v1::OP_CREDIT, [](v1::Credit& m) {
        m.set_epoch(1);
        m.set_sub(1);
        m.set_messages(250);
        m.set_bytes(2 * limits::kMiB);
    });
    expect<v1::Deliver>("deliver", v1::OP_DELIVER, [](v1::Deliver& m) {
        m.set_epoch(1);
        m.set_sub(1);
        m.set_count(2);
        m.set_first_offset(1000);
        m.set_delivery(1);
        m.set_attempt(1);
        m.set_put_ms(kPutMs);
        m.set_charged_bytes(body("deliver", 2).size());
    });
}

TEST_F(VectorsTest, Settles) {
    expect<v1::Settle>("settle_ack", v1::OP_SETTLE, [](v1::Settle& m) {
        m.set_epoch(1);
        m.set_sub(1);
        m.set_settle(1);
        m.set_verdict(v1::Settle::VERDICT_ACK);
        *m.mutable_ranges() = runs({{1000, 2, 1}, {1005, 1, 3}});
    });
    expect<v1::Settle>("settle_nack", v1::OP_SETTLE, [](v1::Settle& m) {
        m.set_epoch(1);
        m.set_sub(1);
        m.set_settle(2);
        m.set_verdict(v1::Settle::VERDICT_NACK);
        m.set_delay_ms(5000);
        *m.mutable_ranges() = runs({{1002, 1, 1}});
    });
    expect<v1::Settled>("settled", v1::OP_SETTLED, [](v1::Settled& m) {
        m.set_sub(1);
        m.set_settle(2);
        for (const std::uint64_t number : {1, 1005, 1}) m.add_lost(number);
    });
    expect<v1::Extend>("extend", v1::OP_EXTEND, [](v1::Extend& m) {
        m.set_epoch(1);
        m.set_req(4);
        m.set_sub(1);
        m.set_lease_ms(60'000);
        *m.mutable_ranges() = runs({{1003, 1, 1}});
    });
    expect<v1::Recall>("recall", v1::OP_RECALL, [](v1::Recall& m) {
        m.set_sub(1);
        *m.mutable_ranges() = runs({{1003, 2, 1}});
    });
}

TEST_F(VectorsTest, TheEnd) {
    expect<v1::End>("end", v1::OP_END, [](v1::End& m) {
        m.set_sub(1);
        m.set_generation(1);
    });
    expect<v1::Seal>("seal", v1::OP_SEAL, [](v1::Seal& m) {
        m.set_epoch(1);
        m.set_req(5);
        m.set_handle(1);
    });
    expect<v1::Join>("join", v1::OP_JOIN, [](v1::Join& m) {
        m.set_epoch(1);
        m.set_req(6);
        m.set_handle(1);
        m.set_generation(1);
        m.set_sealed(true);
    });
    expect<v1::Joined>("joined", v1::OP_JOINED, [](v1::Joined& m) {
        m.set_req(6);
        v1::QueueState& state = *m.mutable_state();
        state.set_name("jobs");
        state.set_sealed(true);
        state.set_generation(1);
        state.set_put(9);
        state.set_acked(9);
        state.set_high_water(9);
    });
}

TEST_F(VectorsTest, BatchesArePackedTheSame) {
    const Headers headers{{"type", "greeting"}, {"n", "\0\1"s}};
    batch::Builder builder;
    builder.append({as_bytes("hello"), {}, nullptr}, SIZE_MAX);
    builder.append({as_bytes("world!"), "k1", &headers}, SIZE_MAX);
    const Slice put = builder.seal(ProducerId(kProducer), Sequence(0), WallTime{kPutMs});
    EXPECT_EQ(as_text(put.bytes()), body("put", 1));

    builder.append({}, SIZE_MAX);
    const Slice under = builder.seal(ProducerId(kProducer), Sequence(302), WallTime{kPutMs});
    EXPECT_EQ(as_text(under.bytes()), body("put_under_lease", 1));

    std::string payload;
    for (int i = 0; i < 299; ++i) payload += static_cast<char>(i % 251);
    builder.append({as_bytes(payload), {}, nullptr}, SIZE_MAX);
    const Slice large = builder.seal(ProducerId(kProducer), Sequence(7), WallTime{kPutMs});
    EXPECT_EQ(as_text(large.bytes()), body("batch_long", 0));
}

TEST_F(VectorsTest, BatchesAreRead) {
    const auto view = parse(body("put", 1));
    ASSERT_TRUE(view);
    EXPECT_EQ(view->count(), 2);
    EXPECT_EQ(view->header().producer, ProducerId(kProducer));
    EXPECT_EQ(view->header().put_time, WallTime{kPutMs});
    const Slice keyed = view->records(1, 1);
    const auto record = batch::decode_record(keyed.bytes());
    ASSERT_TRUE(record);
    EXPECT_EQ(as_text(record->key), "k1");
    ASSERT_EQ(record->headers.size(), 2);
    EXPECT_EQ(record->headers[0].first, "type");
    EXPECT_EQ(as_text(record->headers[1].second), "\0\1"s);
    EXPECT_EQ(as_text(record->payload), "world!");
}

TEST_F(VectorsTest, ADeliveryIsSlicesOfTheBatch) {
    const auto view = parse(body("put", 1));
    ASSERT_TRUE(view);
    EXPECT_EQ(as_text(view->lengths(0, 2).bytes()), body("deliver", 1));
    EXPECT_EQ(as_text(view->records(0, 2).bytes()), body("deliver", 2));
}

TEST_F(VectorsTest, TablesAreCutWithTheirBatch) {
    constexpr std::uint32_t kColumns = 0b10011;
    const auto view = parse(body("batch_table", 0), kColumns);
    ASSERT_TRUE(view);
    EXPECT_EQ(as_text(view->cut(1, 2).bytes()), body("batch_table_cut", 0));
    EXPECT_EQ(parse(body("batch_table", 0), 0).error().code(), Code::kUnsupported);
}

TEST_F(VectorsTest, NoneIsLeftOut) {
    std::ifstream file(TELPHER_SOURCE_DIR "/tests/unit/proto/vectors_test.cpp");
    const std::string source{std::istreambuf_iterator<char>(file), {}};
    for (const auto& [name, frames] : test::load_vectors()) {
        EXPECT_NE(source.find('"' + name + '"'), std::string::npos)
            << name << " is in the document, but not tested here";
    }
}

}  // namespace
}  // namespace telpher
