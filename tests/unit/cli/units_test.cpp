#include "proto/base/units.h"

#include <gtest/gtest.h>

namespace telpher {
namespace {

using std::chrono::milliseconds;

TEST(Duration, ReadsEveryUnit) {
    EXPECT_EQ(*parse_duration("500ms"), milliseconds(500));
    EXPECT_EQ(*parse_duration("30s"), milliseconds(30'000));
    EXPECT_EQ(*parse_duration("5m"), milliseconds(300'000));
    EXPECT_EQ(*parse_duration("2h"), milliseconds(7'200'000));
    EXPECT_EQ(*parse_duration("7d"), milliseconds(604'800'000));
    EXPECT_EQ(*parse_duration("0"), milliseconds(0));
    EXPECT_EQ(*parse_duration("0s"), milliseconds(0));
}

TEST(Count, IsDigitsWithinItsRange) {
    EXPECT_EQ(*parse_count("0"), 0U);
    EXPECT_EQ(*parse_count("18446744073709551615"), UINT64_MAX);
    EXPECT_EQ(*parse_count("8", 1, 8), 8U);
    for (const char* text : {"", " 1", "1 ", "+1", "-1", "1e20", "0x10", "1.5", "1,000", "one"})
        EXPECT_EQ(parse_count(text).error().detail(), "not a whole number: '" + std::string(text) + "'");
    EXPECT_EQ(parse_count("9", 1, 8).error().detail(), "9 is not 1 to 8");
    EXPECT_EQ(parse_count("0", 1).error().detail(), "0 is not 1 or more");
    EXPECT_EQ(parse_count("18446744073709551616").error().detail(), "18446744073709551616 is too large");
}

TEST(Duration, RefusesWhatIsNotOne) {
    for (const char* text :
         {"", "5", "s", "-1s", "+1s", "1.5s", "5 s", "5sec", "5s ", "99999999999999999999s", "1000000d"}) {
        const auto parsed = parse_duration(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code(), Code::kUsage) << text;
    }
}

TEST(Duration, IsWrittenAsItIsRead) {
    for (const char* text : {"1ms", "1500ms", "1s", "90s", "2m", "3h", "1d", "0"}) {
        EXPECT_EQ(format_duration(*parse_duration(text)), text);
    }
    EXPECT_EQ(format_duration(milliseconds(60'000)), "1m");
}

TEST(Size, IsWrittenAsItIsRead) {
    for (const char* text : {"0", "1", "1023", "1KiB", "1025", "64KiB", "10MiB", "1GiB", "3TiB", "1000000"}) {
        EXPECT_EQ(format_size(*parse_size(text)), text);
    }
    EXPECT_EQ(format_size(UINT64_MAX), "18446744073709551615");
}

TEST(Size, ReadsEveryUnit) {
    EXPECT_EQ(*parse_size("0"), 0U);
    EXPECT_EQ(*parse_size("512"), 512U);
    EXPECT_EQ(*parse_size("512B"), 512U);
    EXPECT_EQ(*parse_size("64KiB"), 65'536U);
    EXPECT_EQ(*parse_size("1MB"), 1'000'000U);
    EXPECT_EQ(*parse_size("1MiB"), 1'048'576U);
    EXPECT_EQ(*parse_size("3kB"), 3'000U);
    EXPECT_EQ(*parse_size("2GiB"), 2'147'483'648U);
    EXPECT_EQ(*parse_size("18446744073709551615"), 18'446'744'073'709'551'615U);
}

TEST(Size, RefusesWhatIsNotOne) {
    for (const char* text :
         {"", "KiB", "-1", "1.5MB", "1 MB", "1m", "1mib", "18446744073709551616", "18446744073709551615KiB"}) {
        const auto parsed = parse_size(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code(), Code::kUsage) << text;
    }
}

TEST(Format, BytesForPeople) {
    EXPECT_EQ(format_bytes(0), "0 B");
    EXPECT_EQ(format_bytes(1023), "1023 B");
    EXPECT_EQ(format_bytes(1536), "1.5 KiB");
    EXPECT_EQ(format_bytes(250ULL << 20), "250 MiB");
    EXPECT_EQ(format_bytes(5ULL << 50), "5120 TiB");
}

TEST(Format, CountsForPeople) {
    EXPECT_EQ(format_count(7), "7");
    EXPECT_EQ(format_count(999), "999");
    EXPECT_EQ(format_count(1000), "1,000");
    EXPECT_EQ(format_count(1234567), "1,234,567");
    EXPECT_EQ(format_short(950), "950");
    EXPECT_EQ(format_short(88'100), "88.1k");
    EXPECT_EQ(format_short(1'200'000), "1.2M");
    EXPECT_EQ(format_short(999'999), "1.0M");
}

}  // namespace
}  // namespace telpher
