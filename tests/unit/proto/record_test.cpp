#include <gtest/gtest.h>

#include "proto/base/random.h"
#include "proto/batch.h"
#include "proto/limits.h"
#include "tests/support/seed.h"
#include "tests/unit/proto/raw_batch.h"

namespace telpher::batch {
namespace {

using namespace std::string_literals;
using test::Headers;
using test::Raw;

/// The one record of a batch made of `record`.
std::string packed(const RecordIn& record) {
    Builder builder;
    builder.append(record, SIZE_MAX);
    EXPECT_EQ(builder.bytes(), 60 + record_bytes(record));
    const auto view = View::parse(builder.seal(ProducerId(1), Sequence(0), {}), SIZE_MAX, 0);
    EXPECT_TRUE(view);
    return std::string(as_text(view->records(0, 1).bytes()));
}

Code code_of(std::string_view record) {
    const auto view = decode_record(as_bytes(record));
    return view ? Code::kOk : view.error().code();
}

void expect_same(const RecordIn& in, const RecordView& out) {
    EXPECT_EQ(as_text(out.payload), as_text(in.payload));
    EXPECT_EQ(out.has_key, in.key.has_value());
    EXPECT_EQ(as_text(out.key), in.key.value_or(""));
    Headers headers;
    for (const auto& [name, value] : out.headers) headers.emplace_back(name, as_text(value));
    EXPECT_EQ(headers, in.headers != nullptr ? *in.headers : Headers{});
}

TEST(Record, BytesAreAsDocumented) {
    const Headers headers{{"a", "1"}, {"", ""}};
    EXPECT_EQ(packed({as_bytes("xyz"), {}, nullptr}), "\0xyz"s);
    EXPECT_EQ(packed({as_bytes("xyz"), "k", nullptr}), "\1\1kxyz"s);
    EXPECT_EQ(packed({as_bytes("xyz"), "", nullptr}), "\1\0xyz"s) << "an empty key is a key";
    EXPECT_EQ(packed({as_bytes("xyz"), {}, &headers}), "\2\2\1a\0011\0\0xyz"s);
    EXPECT_EQ(packed({as_bytes("xyz"), "k", &headers}), "\3\1k\2\1a\0011\0\0xyz"s);
    const Headers none;
    EXPECT_EQ(packed({{}, {}, &none}), "\0"s);
}

TEST(Record, RoundTrips) {
    Random random(test::test_seed());
    const auto text = [&random](std::size_t size_max) { return std::string(random.below(size_max + 1), 'x'); };
    for (int i = 0; i < 300; ++i) {
        const std::string payload = text(300);
        const std::string key = text(300);
        Headers headers;
        for (auto n = random.below(5); n > 0; --n) headers.emplace_back(text(200), text(200));
        RecordIn in{as_bytes(payload), {}, random.below(2) != 0 ? &headers : nullptr};
        if (random.below(2) != 0) in.key = key;
        const std::string record = packed(in);
        const auto out = decode_record(as_bytes(record));
        ASSERT_TRUE(out);
        expect_same(in, *out);
    }
}

TEST(Record, MalformedOnesHaveTheirCode) {
    EXPECT_EQ(code_of(""), Code::kProtocol);
    EXPECT_EQ(code_of("\4"), Code::kUnsupported) << "flag bit 2";
    EXPECT_EQ(code_of("\x80"), Code::kUnsupported) << "flag bit 7";
    EXPECT_EQ(code_of("\1"), Code::kProtocol) << "no key length";
    EXPECT_EQ(code_of("\1\2k"), Code::kProtocol) << "key cut short";
    EXPECT_EQ(code_of("\1\xff\xff\xff\xff\x0f"), Code::kProtocol) << "key of 2^32 - 1";
    EXPECT_EQ(code_of("\1\x83\x80\x80\x80\x10kkk"), Code::kProtocol)
        << "2^32 + 3: a key of 3 if the varint were cut to 32 bit";
    EXPECT_EQ(code_of("\1\x80\x80\x80\x80\x80\1"), Code::kProtocol) << "varint of 6 bytes";
    EXPECT_EQ(code_of("\1\x81"s + "\0k"s), Code::kProtocol) << "varint not in its shortest form";
    EXPECT_EQ(code_of("\1\x81"), Code::kProtocol) << "varint cut short";
    EXPECT_EQ(code_of("\2"), Code::kProtocol) << "no header count";
    EXPECT_EQ(code_of("\2\0"s), Code::kProtocol) << "headers announced, none there";
    EXPECT_EQ(code_of("\2\3\0\0\0\0"s), Code::kProtocol) << "a count that the bytes do not cover";
    EXPECT_EQ(code_of("\2\1\1n"), Code::kProtocol) << "no value";
    EXPECT_EQ(code_of("\2\1\1n\2v"), Code::kProtocol) << "value cut short";
    EXPECT_EQ(code_of("\2\x41" + std::string(200, '\0')), Code::kTooLarge) << "65 headers";
}

TEST(Record, EveryTruncationOfItsFieldsIsRefused) {
    const Headers headers{{"name", "value"}, {"second", "one"}};
    const std::string record = packed({{}, "key", &headers});
    for (std::size_t size = 0; size < record.size(); ++size) {
        EXPECT_EQ(code_of(std::string_view(record).substr(0, size)), Code::kProtocol) << size;
    }
}

TEST(Record, LimitsAreTheSameOnBothSides) {
    const auto check = [](const RecordIn& in) {
        const auto told = check_record(in, limits::kMessageBytesMax);
        const Code before = told ? Code::kOk : told.error().code();
        EXPECT_EQ(code_of(packed(in)), before);
        return before;
    };
    const std::string key(limits::kKeyBytesMax + 1, 'k');
    EXPECT_EQ(check({{}, std::string_view(key).substr(1), nullptr}), Code::kOk);
    EXPECT_EQ(check({{}, key, nullptr}), Code::kTooLarge);

    Headers many(limits::kHeadersMax);
    EXPECT_EQ(check({{}, {}, &many}), Code::kOk);
    many.emplace_back();
    EXPECT_EQ(check({{}, {}, &many}), Code::kTooLarge);

    Headers large{{"name", std::string(limits::kHeadersBytesMax - 4, 'v')}};
    EXPECT_EQ(check({{}, {}, &large}), Code::kOk);
    large.front().second += 'v';
    EXPECT_EQ(check({{}, {}, &large}), Code::kTooLarge);
}

TEST(Record, TheWholeRecordCountsAsTheMessage) {
    const std::string payload(97, 'x');  // flags, length, key: 3 more
    const RecordIn in{as_bytes(payload), "k", nullptr};
    EXPECT_TRUE(check_record(in, 100));
    ASSERT_FALSE(check_record(in, 99));
    EXPECT_EQ(check_record(in, 99).error().code(), Code::kTooLarge);
}

TEST(RecordFuzz, MutatedRecordsAreRefusedOrPackedTheSameAgain) {
    Random random(test::test_seed());
    const Headers headers{{"name", "value"}, {"n", ""}};
    const std::string sample = packed({as_bytes("payload"), "key", &headers});
    int accepted = 0;
    for (int i = 0; i < 50'000; ++i) {
        std::string record = sample;
        for (auto changes = 1 + random.below(3); changes > 0; --changes) {
            record[random.below(record.size())] =
                static_cast<char>(random.below(2) != 0 ? random.below(16) : random.next());
        }
        record.resize(random.below(record.size() + 1));
        const auto out = decode_record(as_bytes(record));
        if (!out) continue;
        ++accepted;
        Headers again;
        for (const auto& [name, value] : out->headers) again.emplace_back(name, as_text(value));
        RecordIn in{out->payload, {}, &again};
        if (out->has_key) in.key = as_text(out->key);
        ASSERT_EQ(packed(in), record) << "round " << i;
    }
    EXPECT_GT(accepted, 1000);
}

}  // namespace
}  // namespace telpher::batch
