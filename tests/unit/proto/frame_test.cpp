#include "proto/frame.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "proto/limits.h"

namespace telpher::frame {
namespace {

using namespace std::string_literals;

using OneRun = frame::Run;  // Run alone is a member of testing::Test

Numbers numbers(std::initializer_list<std::uint64_t> values) { return {values.begin(), values.end()}; }

Code code_of(const Result<std::vector<frame::Run>>& runs) { return runs ? Code::kOk : runs.error().code(); }

TEST(Frame, OpIsTheFirstByte) {
    EXPECT_EQ(op_of({}), v1::OP_UNSPECIFIED);
    EXPECT_EQ(op_of(as_bytes("\x01")), v1::OP_HELLO);
    EXPECT_EQ(op_of(as_bytes("\xa3rest")), v1::OP_DELIVER);
    EXPECT_EQ(static_cast<int>(op_of(as_bytes("\x7f"))), 0x7f) << "an unknown op comes back as it is";
}

TEST(Frame, DirectionIsTheTopBit) {
    EXPECT_LT(v1::OP_STATUS, 0x80);
    for (const v1::Op op : {v1::OP_HELLO_OK, v1::OP_ERROR, v1::OP_CONFIRM, v1::OP_DELIVER, v1::OP_STATUS_IS})
        EXPECT_GT(op, 0x80);
}

TEST(Frame, RoundTrips) {
    v1::Put put;
    put.set_epoch(3);
    put.set_handle(1);
    put.set_known_below(1'000'000);
    const std::string header = encode(v1::OP_PUT, put);
    EXPECT_EQ(header.front(), '\x10');
    v1::Put out;
    out.set_under_delivery(9);  // what an earlier frame left behind is gone
    ASSERT_TRUE(parse(as_bytes(header), out));
    EXPECT_EQ(out.SerializeAsString(), put.SerializeAsString());
}

TEST(Frame, MalformedOnesAreRefused) {
    v1::Ping ping;
    EXPECT_EQ(parse({}, ping).error().code(), Code::kProtocol);
    EXPECT_EQ(parse(as_bytes("\x02\x0d\1\2\3"), ping).error().code(), Code::kProtocol) << "fixed32 of 3 bytes";
    EXPECT_EQ(parse(as_bytes("\x02\x10"), ping).error().code(), Code::kProtocol) << "no value";
    EXPECT_EQ(parse(as_bytes("\x02\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), ping).error().code(),
              Code::kProtocol)
        << "varint of 11 bytes";
    EXPECT_TRUE(parse(as_bytes("\x02"), ping)) << "all fields zero";
}

TEST(Frame, HeadersHaveALimitPerOp) {
    for (int number = 0; number <= 0xff; ++number) {
        const auto op = static_cast<v1::Op>(number);
        const std::size_t limit = header_bytes_max(op);
        EXPECT_TRUE(limit == limits::kHotHeaderBytes || limit == limits::kControlHeaderBytes);
        // A field of an unknown number fills the frame up to its limit, then one byte more.
        v1::Ping ping;
        const std::size_t room = limit - 1 - 1 - (limit > limits::kHotHeaderBytes ? 3 : 2);
        std::string header = std::string(1, static_cast<char>(number)) + "\x7a";
        for (std::size_t n = room; true; n >>= 7) {
            header += static_cast<char>(n >= 0x80 ? n | 0x80 : n);
            if (n < 0x80) break;
        }
        header.resize(limit);
        EXPECT_TRUE(parse(as_bytes(header), ping)) << number;
        header += '\0';
        const auto over = parse(as_bytes(header), ping);
        ASSERT_FALSE(over) << number;
        EXPECT_EQ(over.error().code(), Code::kTooLarge) << number;
    }
    for (const v1::Op op : {v1::OP_PUT, v1::OP_CREDIT, v1::OP_PING, v1::OP_DELIVER}) {
        EXPECT_EQ(header_bytes_max(op), limits::kHotHeaderBytes);
    }
    for (const v1::Op op : {v1::OP_HELLO, v1::OP_SETTLE, v1::OP_CONFIRM, v1::OP_ATTACH}) {
        EXPECT_EQ(header_bytes_max(op), limits::kControlHeaderBytes);
    }
}

TEST(Frame, BodiesPerOp) {
    for (int number = 0; number <= 0xff; ++number) {
        const auto op = static_cast<v1::Op>(number);
        const std::size_t expected = op == v1::OP_PUT ? 1 : op == v1::OP_DELIVER || op == v1::OP_PEEKED ? 2 : 0;
        EXPECT_EQ(body_frames(op), expected) << number;
        EXPECT_LE(1 + body_frames(op), limits::kFramesMax);
    }
}

TEST(Runs, RoundTrip) {
    const std::vector<OneRun> runs{{0, 1, 5}, {1, 2, 6}, {10, 1, 0}, {UINT64_MAX - 1, 1, UINT64_MAX}};
    Numbers list;
    std::uint64_t end = 0;
    for (const OneRun& run : runs) add_run(list, end, run);
    EXPECT_EQ(list.size(), 12);
    const auto out = read_runs(list, 4);
    ASSERT_TRUE(out);
    EXPECT_EQ(*out, runs);
}

TEST(Runs, RangesRoundTrip) {
    Numbers list;
    std::uint64_t end = 0;
    add_range(list, end, 3, 2);
    add_range(list, end, 5, 1);
    add_range(list, end, 100, 7);
    EXPECT_TRUE(std::ranges::equal(list, numbers({3, 2, 0, 1, 94, 7})));
    const auto out = read_ranges(list, 3);
    ASSERT_TRUE(out);
    EXPECT_EQ(*out, (std::vector<OneRun>{{3, 2, 0}, {5, 1, 0}, {100, 7, 0}}));
}

TEST(Runs, NoneIsFine) {
    EXPECT_TRUE(read_runs({}, 0)->empty());
    EXPECT_TRUE(read_ranges({}, 0)->empty());
}

TEST(Runs, BentOnesAreRefused) {
    EXPECT_EQ(code_of(read_runs(numbers({0, 1}), 10)), Code::kProtocol) << "not triples";
    EXPECT_EQ(code_of(read_runs(numbers({0, 1, 0, 0}), 10)), Code::kProtocol) << "not triples";
    EXPECT_EQ(code_of(read_ranges(numbers({0, 1, 0}), 10)), Code::kProtocol) << "not pairs";
    EXPECT_EQ(code_of(read_runs(numbers({5, 0, 1}), 10)), Code::kProtocol) << "count 0";
    EXPECT_EQ(code_of(read_ranges(numbers({5, 0}), 10)), Code::kProtocol) << "count 0";
    EXPECT_EQ(code_of(read_runs(numbers({0, 1, 0, 0, 1, 0}), 1)), Code::kProtocol) << "too many";
    EXPECT_EQ(code_of(read_ranges(numbers({0, 1, 0, 1}), 1)), Code::kProtocol) << "too many";
    EXPECT_EQ(code_of(read_runs(numbers({1, UINT64_MAX, 0}), 10)), Code::kProtocol) << "first + count overflows";
    EXPECT_EQ(code_of(read_ranges(numbers({UINT64_MAX, 1}), 10)), Code::kProtocol) << "first + count overflows";
    EXPECT_EQ(code_of(read_ranges(numbers({10, 5, UINT64_MAX - 10, 1}), 10)), Code::kProtocol) << "end + gap overflows";
    EXPECT_EQ(code_of(read_ranges(numbers({0, UINT64_MAX}), 10)), Code::kOk) << "as far as numbers go";
}

TEST(RunsDeathTest, OurOwnRunsMustRise) {
    Numbers list;
    std::uint64_t end = 0;
    add_run(list, end, {5, 5, 0});
    EXPECT_DEATH(add_run(list, end, {9, 1, 0}), "invariant broken");
    EXPECT_DEATH(add_run(list, end, {20, 0, 0}), "invariant broken");
}

TEST(Names, LegalOnes) {
    for (const char* name : {"a", "jobs", "Jobs_2024-01.eu", "a/b/c", "{tenant}.jobs", "_", "-", "0", "a..b", "a/"}) {
        EXPECT_TRUE(legal_name(name)) << name;
    }
    EXPECT_TRUE(legal_name(std::string(255, 'x')));
}

TEST(Names, OthersAreRefused) {
    for (const char* name : {"", ".", ".hidden", "/", "/a", "a b", "a\n", "caf\xc3\xa9", "a:b", "a\\b", "a*", "a,b"}) {
        EXPECT_FALSE(legal_name(name)) << name;
    }
    EXPECT_FALSE(legal_name("a\0b"s));
    EXPECT_FALSE(legal_name(std::string(256, 'x')));
}

}  // namespace
}  // namespace telpher::frame
