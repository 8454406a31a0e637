#include <gtest/gtest.h>

#include <optional>

#include "consumer/message_impl.h"
#include "tests/unit/consumer/fake_delivery.h"

namespace telpher {
namespace {

using namespace std::chrono_literals;
using consumer::Decision;
using consumer::FakeOwner;
using v1::Settle;

Message make(std::shared_ptr<FakeOwner> owner, const std::string& record, std::uint64_t offset = 7) {
    v1::Deliver header;
    header.set_count(1);
    header.set_first_offset(offset);
    header.set_delivery(2);
    header.set_attempt(3);
    header.set_put_ms(1700000000000);
    const consumer::Bodies bodies = consumer::make_bodies({record});
    auto delivery = *consumer::Delivery::parse(header, bodies.lengths, bodies.records, std::move(owner));
    const Bytes bytes = delivery->advance();
    return Message(*Message::Impl::decode(std::move(delivery), 0, bytes));
}

std::string rich() {
    std::string record("\x03", 1);
    record += "\x03";
    record += "key";
    record += "\x02";
    for (const char* field : {"trace", "17", "to", ""}) {
        record.push_back(static_cast<char>(std::string_view(field).size()));
        record += field;
    }
    return record + "payload";
}

TEST(Message, ShowsItsParts) {
    const auto owner = std::make_shared<FakeOwner>();
    Message message = make(owner, rich());
    EXPECT_EQ(message.id(), 7U);
    EXPECT_EQ(message.text(), "payload");
    EXPECT_EQ(message.key(), "key");
    const std::vector<std::pair<std::string_view, std::string_view>> headers{{"trace", "17"}, {"to", ""}};
    EXPECT_EQ(message.headers(), headers);
    EXPECT_EQ(message.delivery(), 2U);
    EXPECT_EQ(message.attempt(), 3U);
    EXPECT_TRUE(message.redelivered());
    EXPECT_EQ(message.put_ms(), 1700000000000);

    const Message bare = make(owner, consumer::plain(""));
    EXPECT_TRUE(bare.body().empty());
    EXPECT_TRUE(bare.key().empty());
    EXPECT_TRUE(bare.headers().empty());
}

TEST(Message, UnreadableRecordsAreRefused) {
    for (const std::string& record : {std::string(), std::string("\x80", 1), std::string("\x01\x05keY", 5)}) {
        EXPECT_FALSE(Message::Impl::decode(nullptr, 0, as_bytes(record)));
    }
}

TEST(Message, TheFirstVerdictCounts) {
    const auto owner = std::make_shared<FakeOwner>();
    {
        Message message = make(owner, consumer::plain("x"));
        message.nack(1500ms);
        message.ack();
        EXPECT_EQ(message.ack_confirmed().error().code(), Code::kUsage);
        EXPECT_EQ(message.extend(1s).error().code(), Code::kUsage);
    }
    ASSERT_EQ(owner->given.size(), 1U);
    EXPECT_EQ(owner->given[0].offset, 7U);
    EXPECT_EQ(owner->given[0].decision, (Decision{.verdict = Settle::VERDICT_NACK, .delay_ms = 1500}));
}

TEST(Message, DelaysStayInTheirRange) {
    const auto owner = std::make_shared<FakeOwner>();
    make(owner, consumer::plain("x")).nack(-1s);
    make(owner, consumer::plain("x")).nack(kForever);
    EXPECT_EQ(owner->given[0].decision.delay_ms, 0U);
    EXPECT_EQ(owner->given[1].decision.delay_ms, 7U * 24 * 3600 * 1000);
}

TEST(Message, WithoutAVerdictItIsReleasedOnce) {
    const auto owner = std::make_shared<FakeOwner>();
    {
        Message first = make(owner, consumer::plain("x"), 1);
        Message moved(std::move(first));
        Message second = make(owner, consumer::plain("x"), 2);
        moved = std::move(second);  // 1 has no place any more
        ASSERT_EQ(owner->given.size(), 1U);
        EXPECT_EQ(owner->given[0].offset, 1U);
        std::optional<Message> kept(std::move(moved));
    }
    ASSERT_EQ(owner->given.size(), 2U);
    EXPECT_EQ(owner->given[1].offset, 2U);
    EXPECT_EQ(owner->given[1].decision.verdict, Settle::VERDICT_RELEASE);
}

TEST(Message, KeepsItsOwnerAlive) {
    auto owner = std::make_shared<FakeOwner>();
    const std::weak_ptr<FakeOwner> watch = owner;
    std::optional<Message> message(make(std::move(owner), consumer::plain("x")));
    ASSERT_FALSE(watch.expired());
    EXPECT_TRUE(message->extend(2s));
    EXPECT_EQ(watch.lock()->extended, 2s);
    EXPECT_EQ(message->extend(0s).error().code(), Code::kBadOption);
    EXPECT_TRUE(message->ack_confirmed());
    message.reset();
    EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace telpher
