#include "consumer/delivery_buffer.h"

#include <gtest/gtest.h>

#include "tests/unit/consumer/fake_delivery.h"

namespace telpher::consumer {
namespace {

using Range = frame::Run;

std::string text_of(const DeliveryBuffer::Taken& taken) { return std::string(as_text(taken.record.subspan(1))); }

std::vector<Range> held(const DeliveryBuffer& buffer) {
    std::vector<Range> runs;
    buffer.for_each_held([&](const Range& run, bool) { runs.push_back(run); });
    return runs;
}

TEST(Delivery, RefusesWhatDoesNotFitTogether) {
    const Bodies two = make_bodies({plain("a"), plain("b")});
    const auto parse = [&](std::uint32_t count, std::uint64_t first, const Bodies& bodies) {
        v1::Deliver header;
        header.set_count(count);
        header.set_first_offset(first);
        return Delivery::parse(header, bodies.lengths, bodies.records, nullptr);
    };
    EXPECT_TRUE(parse(2, 0, two));
    EXPECT_EQ(parse(0, 0, {}).error().code(), Code::kProtocol);
    EXPECT_EQ(parse(3, 0, two).error().code(), Code::kProtocol);
    EXPECT_EQ(parse(1, 0, two).error().code(), Code::kProtocol);
    EXPECT_EQ(parse(0x40000001, 0, two).error().code(), Code::kProtocol) << "count * 4 passes 32 bits";
    EXPECT_EQ(parse(2, UINT64_MAX, two).error().code(), Code::kProtocol);
    EXPECT_EQ(parse(2, 0, {two.lengths, two.records.part(0, 3)}).error().code(), Code::kProtocol);
    EXPECT_EQ(parse(2, 0, {Slice::own(std::string(8, '\xff')), two.records}).error().code(), Code::kProtocol);
}

TEST(Delivery, MayLeaveMessagesOutButNotTheFirst) {
    const Bodies bodies = make_bodies({plain("a"), "", "", plain("bc")});
    v1::Deliver header;
    header.set_count(4);
    header.set_first_offset(7);
    header.set_delivery(1);
    header.set_charged_bytes(11);
    const auto delivery = *Delivery::parse(header, bodies.lengths, bodies.records, nullptr);
    EXPECT_EQ(delivery->messages(), 2U);
    EXPECT_EQ(delivery->held(), 2U);
    EXPECT_EQ(delivery->left_out_before(3), 2U);
    EXPECT_EQ(delivery->left_out_before(0), 0U);
    EXPECT_EQ(delivery->charge(0) + delivery->charge(3), 11U);

    DeliveryBuffer buffer;
    buffer.push(delivery);
    EXPECT_EQ(held(buffer), (std::vector<Range>{{7, 1, 1}, {10, 1, 1}}));
    std::vector<Range> over_holes;
    buffer.for_each_held([&](const Range& run, bool) { over_holes.push_back(run); }, true);
    EXPECT_EQ(over_holes, (std::vector<Range>{{7, 4, 1}}));
    DeliveryBuffer::Taken taken;
    ASSERT_TRUE(buffer.take(taken));
    EXPECT_EQ(text_of(taken), "a");
    ASSERT_TRUE(buffer.take(taken));
    EXPECT_EQ(std::pair(taken.index, text_of(taken)), std::pair(3U, std::string("bc")));
    EXPECT_FALSE(buffer.take(taken));
    EXPECT_EQ(buffer.buffered_bytes(), 0U);
    EXPECT_FALSE(buffer.settle(*delivery, 1)) << "was never there";
    EXPECT_TRUE(buffer.settle(*delivery, 0));
    EXPECT_TRUE(buffer.settle(*delivery, 3));

    const Bodies headless = make_bodies({"", plain("a")});
    header.set_count(2);
    EXPECT_EQ(Delivery::parse(header, headless.lengths, headless.records, nullptr).error().code(), Code::kProtocol);
}

TEST(DeliveryBuffer, HandsOutInOrder) {
    DeliveryBuffer buffer;
    buffer.push(make_delivery(10, 3));
    buffer.push(make_delivery(5, 100));
    EXPECT_EQ(buffer.buffered(), 103U);
    DeliveryBuffer::Taken taken;
    for (const std::uint64_t offset : {10, 11, 12, 5, 6}) {
        ASSERT_TRUE(buffer.take(taken));
        EXPECT_EQ(taken.delivery->first() + taken.index, offset);
        EXPECT_EQ(text_of(taken), std::to_string(offset));
    }
    EXPECT_EQ(buffer.buffered(), 98U);
    EXPECT_EQ(buffer.handled(), 5U);
}

TEST(DeliveryBuffer, CountsAreZeroWhenAllIsSettled) {
    DeliveryBuffer buffer;
    buffer.push(make_delivery(0, 200));
    std::vector<DeliveryBuffer::Taken> all(200);
    for (auto& taken : all) ASSERT_TRUE(buffer.take(taken));
    DeliveryBuffer::Taken none;
    EXPECT_FALSE(buffer.take(none));
    for (auto& taken : all) {
        EXPECT_TRUE(buffer.settle(*taken.delivery, taken.index));
        EXPECT_FALSE(buffer.settle(*taken.delivery, taken.index)) << "once";
    }
    EXPECT_EQ(buffer.handled(), 0U);
    EXPECT_EQ(buffer.buffered(), 0U);
    EXPECT_EQ(buffer.buffered_bytes(), 0U);
    EXPECT_TRUE(held(buffer).empty());
}

TEST(DeliveryBuffer, SaysWhatIsHeld) {
    DeliveryBuffer buffer;
    buffer.push(make_delivery(100, 6, 2));
    DeliveryBuffer::Taken a, b, c;
    ASSERT_TRUE(buffer.take(a) && buffer.take(b) && buffer.take(c));
    ASSERT_TRUE(buffer.settle(*b.delivery, b.index));
    std::vector<std::pair<Range, bool>> seen;
    buffer.for_each_held([&](const Range& run, bool handled) { seen.emplace_back(run, handled); });
    const std::vector<std::pair<Range, bool>> expected{
        {Range{100, 1, 2}, true}, {Range{102, 1, 2}, true}, {Range{103, 3, 2}, false}};
    EXPECT_EQ(seen, expected);
}

TEST(DeliveryBuffer, RecallTakesOnlyWhatNobodyStartedOn) {
    DeliveryBuffer buffer;
    buffer.push(make_delivery(0, 10));
    buffer.push(make_delivery(20, 5, 3));
    DeliveryBuffer::Taken taken;
    ASSERT_TRUE(buffer.take(taken) && buffer.take(taken));
    const std::vector<Range> asked{{0, 4, 1}, {6, 2, 2}, {18, 4, 3}};
    EXPECT_EQ(buffer.recall(asked), (std::vector<Range>{{2, 2, 1}, {20, 2, 3}}))
        << "0, 1 are taken; 6, 7 have another delivery";
    EXPECT_EQ(buffer.buffered(), 9U);
    for (const std::uint64_t offset : {4, 5, 6, 7, 8, 9, 22, 23, 24}) {
        ASSERT_TRUE(buffer.take(taken));
        EXPECT_EQ(taken.delivery->first() + taken.index, offset);
    }
    EXPECT_FALSE(buffer.take(taken));
}

TEST(DeliveryBuffer, RecallAllLeavesWhatIsHandled) {
    DeliveryBuffer buffer;
    buffer.push(make_delivery(0, 3));
    buffer.push(make_delivery(3, 2));
    DeliveryBuffer::Taken taken;
    ASSERT_TRUE(buffer.take(taken));
    EXPECT_EQ(buffer.recall_all(), (std::vector<Range>{{1, 4, 1}}));
    EXPECT_EQ(buffer.buffered(), 0U);
    EXPECT_EQ(held(buffer), (std::vector<Range>{{0, 1, 1}}));
    EXPECT_TRUE(buffer.settle(*taken.delivery, taken.index));
    EXPECT_TRUE(held(buffer).empty());
}

TEST(DeliveryBuffer, LostMessagesVanishFromTheLineAndTheirVerdictsAreRefused) {
    DeliveryBuffer buffer;
    buffer.push(make_delivery(0, 4));
    buffer.push(make_delivery(4, 4, 2));
    DeliveryBuffer::Taken first, second, third;
    ASSERT_TRUE(buffer.take(first) && buffer.take(second));
    buffer.lose(std::vector<Range>{{1, 2, 0}, {4, 4, 0}});
    EXPECT_EQ(held(buffer), (std::vector<Range>{{0, 1, 1}, {3, 1, 1}}));
    EXPECT_TRUE(buffer.settle(*first.delivery, first.index));
    EXPECT_FALSE(buffer.settle(*second.delivery, second.index));
    ASSERT_TRUE(buffer.take(third));
    EXPECT_EQ(third.index, 3U);
    EXPECT_FALSE(buffer.take(second));
    EXPECT_EQ(buffer.buffered_bytes(), 0U);
}

}  // namespace
}  // namespace telpher::consumer
