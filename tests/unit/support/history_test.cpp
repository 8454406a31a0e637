// Histories as files: what is written is read back, torn ends are no event, several files are one in the order of time.

#include "tests/support/history.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace telpher::test {
namespace {

TEST(History, a_line_comes_back_as_it_was) {
    const Event event{.kind = Event::Kind::kDelivered,
                      .time_ns = 123'456'789'012'345,
                      .who = "c1.2",
                      .producer = "p\"1",
                      .seq = UINT64_MAX,
                      .hash = UINT64_MAX - 1,
                      .id = 1ULL << 63,
                      .delivery = UINT32_MAX,
                      .code = "E_X"};
    EXPECT_EQ(from_line(to_line(event)), event);
    EXPECT_EQ(from_line(to_line(Event{})), Event{});
}

TEST(History, nonsense_is_refused) {
    EXPECT_THROW(from_line("{"), std::runtime_error);
    EXPECT_THROW(from_line(R"({"t":1,"e":"what","w":"x"})"), std::runtime_error);
    EXPECT_THROW(from_line(R"({"t":1,"w":"x"})"), std::runtime_error);
    EXPECT_THROW(from_line(R"({"t":"now","e":"end","w":"x"})"), std::runtime_error);
}

TEST(History, a_file_is_read_while_it_grows) {
    const TempDir dir;
    HistoryWriter writer(dir.path() / "h", "me");
    HistoryReader reader(dir.path() / "h");
    EXPECT_FALSE(reader.next().has_value());
    writer.record({.kind = Event::Kind::kPut, .producer = "p", .seq = 1, .hash = 2});
    auto event = reader.next();
    ASSERT_TRUE(event.has_value());
    EXPECT_EQ(event->who, "me");
    EXPECT_EQ(event->seq, 1U);
    EXPECT_GT(event->time_ns, 0);
    EXPECT_FALSE(reader.next().has_value());
    writer.record({.kind = Event::Kind::kEnd});
    EXPECT_TRUE(reader.next().has_value());
}

TEST(History, a_torn_last_line_is_no_event_until_it_is_whole) {
    const TempDir dir;
    const auto path = dir.path() / "h";
    const std::string line = to_line({.kind = Event::Kind::kEnd, .time_ns = 5, .who = "me"});
    std::ofstream file(path);
    file << line.substr(0, 10) << std::flush;
    HistoryReader reader(path);
    EXPECT_FALSE(reader.next().has_value());
    file << line.substr(10) << "\n" << std::flush;
    EXPECT_TRUE(reader.next().has_value());
    file << "{torn}\n" << std::flush;
    EXPECT_THROW(reader.next(), std::runtime_error) << "a whole line of nonsense is a broken history";
}

TEST(History, several_files_are_one_in_the_order_of_time) {
    const TempDir dir;
    HistoryWriter a(dir.path() / "a", "a");
    HistoryWriter b(dir.path() / "b", "b");
    HistoryWriter c(dir.path() / "c", "c");
    for (std::uint64_t i = 1; i <= 30; ++i) {
        (i % 3 == 0 ? a : b).record({.kind = Event::Kind::kPut, .producer = "p", .seq = i});
    }
    MergedHistory merged({dir.path() / "a", dir.path() / "b", dir.path() / "c"});
    for (std::uint64_t i = 1; i <= 30; ++i) {
        const auto event = merged.next();
        ASSERT_TRUE(event.has_value());
        EXPECT_EQ(event->seq, i);
    }
    EXPECT_FALSE(merged.next().has_value());
}

TEST(Payload, names_its_producer_and_sequence) {
    for (const std::size_t bytes : {0, 10, 100, 4096}) {
        const std::string payload = make_payload("p1", 17, bytes);
        EXPECT_GE(payload.size(), bytes);
        EXPECT_EQ(payload, make_payload("p1", 17, bytes)) << "it follows from its name";
        EXPECT_EQ(payload_name(payload).producer, "p1");
        EXPECT_EQ(payload_name(payload).seq, 17U);
    }
    EXPECT_NE(payload_hash(make_payload("p1", 17, 100)), payload_hash(make_payload("p1", 18, 100)));
    for (const char* other : {"", "p1", "p1 ", "p1 17", "p1 x ", "p1 17x ", "p1 99999999999999999999 "}) {
        EXPECT_EQ(payload_name(other).producer, "") << other;
    }
}

}  // namespace
}  // namespace telpher::test
