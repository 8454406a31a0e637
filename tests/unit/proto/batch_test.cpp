#include "proto/batch.h"

#include <gtest/gtest.h>

#include <functional>
#include <numeric>

#include "proto/base/random.h"
#include "proto/limits.h"
#include "tests/support/seed.h"
#include "tests/unit/proto/raw_batch.h"

namespace telpher::batch {
namespace {

using test::peek;
using test::poke;
using test::Raw;
using test::raw_batch;
using test::reseal;
using test::rising;
using test::with_table;

constexpr std::uint32_t kAllColumns = 0xff;

Result<View> parse(const Raw& raw, std::size_t message_bytes_max = limits::kMessageBytesDefault,
                   std::uint32_t columns = kAllColumns) {
    return View::parse(Slice::own(raw), message_bytes_max, columns);
}

Code code_of(const Result<View>& view) { return view ? Code::kOk : view.error().code(); }

std::string record_at(const View& view, std::uint32_t index) {
    return std::string(as_text(view.records(index, 1).bytes()));
}

std::string record_of(std::string_view payload) { return std::string(1, '\0').append(payload); }

std::vector<std::string> payloads(std::uint32_t count) {
    std::vector<std::string> all;
    for (std::uint32_t i = 0; i < count; ++i) all.emplace_back(i % 7, static_cast<char>('a' + i % 26));
    return all;
}

TEST(Batch, GivesBackWhatWasPacked) {
    const auto view = parse(raw_batch({"one", "", "three"}, 41));
    ASSERT_TRUE(view);
    EXPECT_EQ(view->count(), 3);
    EXPECT_EQ(view->header().producer, ProducerId(7));
    EXPECT_EQ(view->header().first, Sequence(41));
    EXPECT_EQ(view->header().put_time, WallTime{1'700'000'000'000});
    EXPECT_EQ(view->records_bytes(), 3 + 3 + 5);
    EXPECT_EQ(record_at(*view, 0), record_of("one"));
    EXPECT_EQ(record_at(*view, 1), record_of(""));
    EXPECT_EQ(record_at(*view, 2), record_of("three"));
    EXPECT_EQ(as_text(view->records(0, 3).bytes()), record_of("one") + record_of("") + record_of("three"));
    EXPECT_EQ(load_le<std::uint32_t>(view->lengths(1, 2).data() + 4), 6U);
}

TEST(Batch, RunsWithHolesKeepTheirPlaces) {
    const auto view = parse(with_table(raw_batch({"0", "one", "2", "three", "4", "5", "six"}), 1, rising(7, 10)));
    ASSERT_TRUE(view);
    const std::vector<View::Run> runs{{1, 3}, {5, 2}};
    const std::vector<View::Run> kept{{1, 1}, {3, 1}, {6, 1}};
    const Slice picked = view->pick(runs, kept);
    EXPECT_FALSE(View::parse(picked, limits::kMessageBytesDefault, kAllColumns)) << "no producer leaves anything out";
    const auto again = View::reopen(picked, true);
    ASSERT_TRUE(again);
    ASSERT_EQ(again->count(), 5U);
    for (const std::uint32_t gone : {1U, 3U}) EXPECT_EQ(record_at(*again, gone), "");
    EXPECT_EQ(record_at(*again, 0), record_of("one"));
    EXPECT_EQ(record_at(*again, 2), record_of("three"));
    EXPECT_EQ(record_at(*again, 4), record_of("six"));

    const std::vector<View::Run> whole{{0, 5}};
    const std::vector<View::Run> last{{2, 1}, {4, 1}};
    const auto less = View::reopen(again->pick(whole, last), true);
    ASSERT_TRUE(less);
    EXPECT_EQ(record_at(*less, 0), "");
    EXPECT_EQ(record_at(*less, 4), record_of("six"));
    EXPECT_EQ(less->records_bytes(), record_of("three").size() + record_of("six").size());
}

TEST(Batch, ViewsShareTheBytes) {
    const auto view = parse(raw_batch({"one", "two"}));
    ASSERT_TRUE(view);
    EXPECT_EQ(view->records(0, 2).data(), view->bytes().data() + 56 + 8);
    EXPECT_EQ(view->cut(0, 2).data(), view->bytes().data()) << "cutting everything copies nothing";
}

TEST(Batch, BytesBeforeInAnyOrder) {
    const auto view = parse(raw_batch(payloads(100)));
    ASSERT_TRUE(view);
    Random random(test::test_seed());
    for (int i = 0; i < 500; ++i) {
        const auto index = static_cast<std::uint32_t>(random.below(101));
        std::uint64_t expected = 0;
        for (std::uint32_t j = 0; j < index; ++j) expected += 1 + j % 7;
        ASSERT_EQ(view->bytes_before(index), expected) << index;
    }
}

struct Bent {
    const char* name;
    Code code;
    std::function<void(Raw&)> bend;
};

// The sample has three records of 4, 1 and 6 bytes; header 0..56, lengths 56..68, records 68..79.
const Bent kBent[] = {
    {"magic", Code::kProtocol, [](Raw& raw) { poke<std::uint32_t>(raw, 0, 0x31424c55); }},
    {"version 0", Code::kUnsupported, [](Raw& raw) { poke<std::uint8_t>(raw, 4, 0); }},
    {"version 2", Code::kUnsupported, [](Raw& raw) { poke<std::uint8_t>(raw, 4, 2); }},
    {"attribute bit 1", Code::kUnsupported, [](Raw& raw) { poke<std::uint8_t>(raw, 5, 2); }},
    {"attribute bit 7", Code::kUnsupported, [](Raw& raw) { poke<std::uint8_t>(raw, 5, 0x80); }},
    {"header bytes 0", Code::kProtocol, [](Raw& raw) { poke<std::uint16_t>(raw, 6, 0); }},
    {"header bytes 64", Code::kProtocol, [](Raw& raw) { poke<std::uint16_t>(raw, 6, 64); }},
    {"count 0", Code::kProtocol, [](Raw& raw) { poke<std::uint32_t>(raw, 8, 0); }},
    {"count one less", Code::kProtocol, [](Raw& raw) { poke<std::uint32_t>(raw, 8, 2); }},
    {"count one more", Code::kProtocol, [](Raw& raw) { poke<std::uint32_t>(raw, 8, 4); }},
    {"count at its limit, not covered", Code::kProtocol, [](Raw& raw) { poke<std::uint32_t>(raw, 8, 64 * 1024); }},
    {"count over its limit", Code::kTooLarge, [](Raw& raw) { poke<std::uint32_t>(raw, 8, 64 * 1024 + 1); }},
    {"count 2^32 - 1", Code::kTooLarge, [](Raw& raw) { poke<std::uint32_t>(raw, 8, UINT32_MAX); }},
    {"count whose table wraps 32 bit", Code::kTooLarge, [](Raw& raw) { poke<std::uint32_t>(raw, 8, 0x40000003); }},
    {"body bytes one less", Code::kProtocol, [](Raw& raw) { poke<std::uint32_t>(raw, 12, 22); }},
    {"body bytes one more", Code::kProtocol, [](Raw& raw) { poke<std::uint32_t>(raw, 12, 24); }},
    {"body bytes 2^32 - 1", Code::kProtocol, [](Raw& raw) { poke<std::uint32_t>(raw, 12, UINT32_MAX); }},
    {"sequence passes 2^64", Code::kProtocol, [](Raw& raw) { poke<std::uint64_t>(raw, 24, UINT64_MAX - 2); }},
    {"attribute bytes without a table", Code::kProtocol, [](Raw& raw) { poke<std::uint32_t>(raw, 40, 4); }},
    {"attribute bytes 2^32 - 1", Code::kProtocol, [](Raw& raw) { poke<std::uint32_t>(raw, 40, UINT32_MAX); }},
    {"table of 0 bytes", Code::kProtocol, [](Raw& raw) { poke<std::uint8_t>(raw, 5, 1); }},
    {"reserved", Code::kProtocol, [](Raw& raw) { poke<std::uint32_t>(raw, 44, 1); }},
    {"length 0", Code::kProtocol,
     [](Raw& raw) {
         poke<std::uint32_t>(raw, 60, 0);
         poke<std::uint32_t>(raw, 64, 7);
     }},
    {"length one more", Code::kProtocol, [](Raw& raw) { poke<std::uint32_t>(raw, 56, 5); }},
    {"length one less", Code::kProtocol, [](Raw& raw) { poke<std::uint32_t>(raw, 56, 3); }},
    {"length 2^32 - 1", Code::kProtocol, [](Raw& raw) { poke<std::uint32_t>(raw, 56, UINT32_MAX); }},
    {"payload", Code::kOk, [](Raw& raw) { raw.back() = std::byte{'!'}; }},
};

TEST(Batch, EveryBentFieldHasItsCode) {
    for (const Bent& bent : kBent) {
        Raw raw = raw_batch({"one", "", "three"});
        bent.bend(raw);
        EXPECT_EQ(code_of(parse(raw)), bent.code == Code::kOk ? Code::kChecksum : bent.code)
            << bent.name << ", old checksum";
        reseal(raw);
        EXPECT_EQ(code_of(parse(raw)), bent.code) << bent.name;
    }
}

TEST(Batch, LengthsWhoseSumWrapsAreRefused) {
    Raw raw = raw_batch({"one", "", "three"});
    poke<std::uint32_t>(raw, 56, 0x80000000U);
    poke<std::uint32_t>(raw, 60, 0x80000000U);
    poke<std::uint32_t>(raw, 64, 11);  // 2^32 + 11: 11 if the sum were kept in 32 bit
    reseal(raw);
    EXPECT_EQ(code_of(parse(raw, SIZE_MAX)), Code::kProtocol);
}

TEST(Batch, TheLastSequenceIsAllowed) {
    Raw raw = raw_batch({"x"}, UINT64_MAX - 1);
    EXPECT_EQ(code_of(parse(raw)), Code::kOk);
}

TEST(Batch, EveryTruncationIsRefused) {
    const Raw whole = with_table(raw_batch({"one", "", "three"}), 1, rising(3, 0));
    ASSERT_TRUE(parse(whole));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        Raw raw(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_EQ(code_of(parse(raw)), Code::kProtocol) << size;
        if (size < 56) continue;
        poke<std::uint32_t>(raw, 12, static_cast<std::uint32_t>(size - 56));  // a header that fits the shorter frame
        reseal(raw);
        EXPECT_EQ(code_of(parse(raw)), Code::kProtocol) << size << " with a header that fits";
    }
    Raw longer = whole;
    longer.push_back(std::byte{0});
    EXPECT_EQ(code_of(parse(longer)), Code::kProtocol);
}

TEST(Batch, EveryBitFlipIsRefused) {
    const Raw whole = with_table(raw_batch({"one", "", "three"}), 1, rising(3, 0));
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            Raw raw = whole;
            raw[at] ^= static_cast<std::byte>(1U << bit);
            EXPECT_FALSE(parse(raw)) << "byte " << at << " bit " << bit;
        }
    }
}

TEST(Batch, MessagesAndBatchesHaveALimit) {
    const std::string payload(99, 'x');  // a record of 100
    EXPECT_EQ(code_of(parse(raw_batch({payload}), 100)), Code::kOk);
    EXPECT_EQ(code_of(parse(raw_batch({payload}), 99)), Code::kTooLarge);
    EXPECT_EQ(code_of(parse(raw_batch({std::string(2 * limits::kMiB, 'x')}), 4 * limits::kMiB)), Code::kOk)
        << "one message may be larger than a batch of several";

    Raw two = raw_batch({std::string(limits::kMiB - 100, 'x')});
    const std::size_t extra = 100;  // a second record and its length pass 1 MiB
    two.insert(two.end(), extra, std::byte{0});
    two.insert(two.begin() + 60, 4, std::byte{0});
    poke<std::uint32_t>(two, 8, 2);
    poke<std::uint32_t>(two, 60, extra);
    poke<std::uint32_t>(two, 12, static_cast<std::uint32_t>(two.size() - 56));
    reseal(two);
    ASSERT_GT(two.size(), limits::kBatchBytesMax);
    EXPECT_EQ(code_of(parse(two, 4 * limits::kMiB)), Code::kTooLarge);
}

TEST(BatchTable, ColumnsMustBeKnown) {
    const Raw raw = with_table(raw_batch({"a", "b"}), 0b101, rising(2 + 16, 0));
    EXPECT_EQ(code_of(parse(raw, 100, 0b101)), Code::kOk);
    EXPECT_EQ(code_of(parse(raw, 100, 0b001)), Code::kUnsupported);
    EXPECT_EQ(code_of(parse(raw, 100, 0)), Code::kUnsupported);
    EXPECT_EQ(code_of(parse(with_table(raw_batch({"a"}), 1U << 8, rising(8, 0)), 100, UINT32_MAX)), Code::kUnsupported)
        << "a column nobody has defined is never known";
}

TEST(BatchTable, SizeFollowsFromTheColumns) {
    EXPECT_EQ(code_of(parse(with_table(raw_batch({"a", "b"}), 1, rising(1, 0)))), Code::kProtocol);
    EXPECT_EQ(code_of(parse(with_table(raw_batch({"a", "b"}), 1, rising(3, 0)))), Code::kProtocol);
    EXPECT_EQ(code_of(parse(with_table(raw_batch({"a", "b"}), 0, {}))), Code::kProtocol) << "a table without a column";
    EXPECT_EQ(code_of(parse(with_table(raw_batch({"a", "b"}), kAllColumns, rising(2 * (1 + 16 + 6 * 8), 0)))),
              Code::kOk);
}

TEST(BatchCut, EveryPartIsAWholeBatch) {
    const Raw whole = raw_batch(payloads(12), 100);
    const auto view = parse(whole);
    ASSERT_TRUE(view);
    for (std::uint32_t index = 0; index < 12; ++index) {
        for (std::uint32_t count = 1; index + count <= 12; ++count) {
            const auto part = View::parse(view->cut(index, count), limits::kMessageBytesDefault, 0);
            ASSERT_TRUE(part) << index << "+" << count;
            EXPECT_EQ(part->count(), count);
            EXPECT_EQ(part->header().first, Sequence(100 + index));
            EXPECT_EQ(part->header().producer, view->header().producer);
            EXPECT_EQ(part->header().put_time, view->header().put_time);
            EXPECT_EQ(as_text(part->records(0, count).bytes()), as_text(view->records(index, count).bytes()));
        }
    }
}

TEST(BatchCut, TakesItsRowsOfTheTable) {
    // priority 1 byte each, dedup hash 16 bytes each
    const auto view =
        parse(with_table(raw_batch({"a", "b", "c"}), 0b10001, test::joined(rising(3, 0), rising(48, 100))));
    ASSERT_TRUE(view);
    const Raw part = test::to_raw(view->cut(1, 2));
    ASSERT_TRUE(parse(part));
    EXPECT_EQ(peek<std::uint32_t>(part, 40), 4 + 2 * 17U);
    EXPECT_EQ(peek<std::uint32_t>(part, 64), 0b10001U);
    const Raw columns(part.begin() + 68, part.begin() + 68 + 2 * 17);
    EXPECT_EQ(columns, test::joined(rising(2, 1), rising(32, 116)));
}

TEST(BatchReopen, TellsDamageFromANewerFormat) {
    Raw raw = raw_batch({"one"});
    const auto code = [&raw](bool verify) { return code_of(View::reopen(Slice::own(raw), verify)); };
    EXPECT_EQ(code(true), Code::kOk);
    raw.back() ^= std::byte{1};
    EXPECT_EQ(code(true), Code::kCorrupt);
    EXPECT_EQ(code(false), Code::kOk) << "bounds only";
    poke<std::uint32_t>(raw, 56, 9);
    EXPECT_EQ(code(false), Code::kCorrupt);
    poke<std::uint8_t>(raw, 4, 2);
    EXPECT_EQ(code(false), Code::kFormat);
}

TEST(Builder, StopsAtTheBound) {
    Builder builder;
    const std::string payload(99, 'x');
    const RecordIn record{as_bytes(payload), {}, nullptr};
    const std::size_t two = 56 + 2 * 104;
    EXPECT_TRUE(builder.append(record, 10)) << "an empty builder takes any one message";
    EXPECT_FALSE(builder.append(record, two - 1));
    EXPECT_TRUE(builder.append(record, two));
    EXPECT_EQ(builder.bytes(), two);
    EXPECT_EQ(builder.seal(ProducerId(1), Sequence(0), {}).size(), two);
    EXPECT_TRUE(builder.empty());
    EXPECT_EQ(builder.bytes(), 56U);
}

TEST(Builder, HoldsTheLimitsOfTheProtocol) {
    Builder builder;
    const RecordIn nothing{};
    while (builder.append(nothing, SIZE_MAX)) {
    }
    EXPECT_EQ(builder.count(), limits::kBatchCountMax);
    EXPECT_TRUE(parse(test::to_raw(builder.seal(ProducerId(1), Sequence(0), {}))));

    const std::string payload(1000, 'x');
    while (builder.append({as_bytes(payload), {}, nullptr}, SIZE_MAX)) {
    }
    const Slice full = builder.seal(ProducerId(1), Sequence(0), {});
    EXPECT_LE(full.size(), limits::kBatchBytesMax);
    EXPECT_GT(full.size() + 1005, limits::kBatchBytesMax);
    EXPECT_TRUE(parse(test::to_raw(full)));
}

/// What must hold for whatever parse() lets through.
void check_consistent(const View& view, const Raw& raw) {
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < view.count(); ++i) {
        sum += view.records(i, 1).size();
        (void)decode_record(view.records(i, 1).bytes());
    }
    ASSERT_EQ(sum, view.records_bytes());
    ASSERT_EQ(view.bytes_before(view.count()), sum);
    const std::uint32_t half = (view.count() + 1) / 2;
    ASSERT_TRUE(View::parse(view.cut(0, half), raw.size(), kAllColumns));
}

TEST(BatchFuzz, MutatedBatchesAreRefusedOrConsistent) {
    Random random(test::test_seed());
    const Raw samples[] = {raw_batch({"one", "", "three"}), raw_batch(payloads(40)),
                           with_table(raw_batch({"a", "b"}), kAllColumns, rising(2 * 65, 0))};
    int accepted = 0;
    for (int i = 0; i < 50'000; ++i) {
        Raw raw = samples[random.below(std::size(samples))];
        for (auto changes = 1 + random.below(3); changes > 0 && !raw.empty(); --changes) {
            const auto at = static_cast<std::ptrdiff_t>(random.below(raw.size()));
            switch (random.below(4)) {
                case 0:
                    raw[at] = static_cast<std::byte>(random.next());
                    break;
                case 1:
                    raw[at] ^= static_cast<std::byte>(1U << random.below(8));
                    break;
                case 2:
                    raw.erase(raw.begin() + at);
                    break;
                default:
                    raw.insert(raw.begin() + at, static_cast<std::byte>(random.below(4)));
                    break;
            }
        }
        if (raw.size() >= 56 && random.below(2) == 0) {
            poke<std::uint32_t>(raw, 12, static_cast<std::uint32_t>(raw.size() - 56));
        }
        if (raw.size() >= 56) reseal(raw);
        const auto view = parse(raw);
        if (!view) continue;
        ++accepted;
        ASSERT_NO_FATAL_FAILURE(check_consistent(*view, raw)) << "round " << i;
    }
    EXPECT_GT(accepted, 1000) << "the mutations must reach past the checks";
}

}  // namespace
}  // namespace telpher::batch
