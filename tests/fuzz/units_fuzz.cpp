// The input is what somebody wrote as a duration, a size or a count. What is read is written and read again the same.
#include "proto/base/units.h"

#include "proto/base/check.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"

namespace telpher::fuzz {

std::vector<std::string> seeds() {
    return {"0", "250ms", "30s", "5m", "2h", "7d", "512", "64KiB", "1MB", "16TiB", "18446744073709551615", "007"};
}

namespace {

void check_duration(std::string_view text) {
    const auto duration = parse_duration(text);
    if (!duration) {
        TELPHER_CHECK(duration.error().code() == Code::kUsage);
        return;
    }
    TELPHER_CHECK(duration->count() >= 0);
    TELPHER_CHECK(parse_duration(format_duration(*duration)) == *duration);
}

void check_size(std::string_view text) {
    const auto size = parse_size(text);
    if (size) {
        TELPHER_CHECK(parse_size(format_size(*size)) == *size);
        TELPHER_CHECK(!format_bytes(*size).empty() && !format_short(static_cast<double>(*size)).empty());
    } else {
        TELPHER_CHECK(size.error().code() == Code::kUsage);
    }
}

void check_count(std::string_view text) {
    const auto count = parse_count(text);
    if (!count) {
        TELPHER_CHECK(count.error().code() == Code::kUsage);
        return;
    }
    TELPHER_CHECK(parse_count(std::to_string(*count)) == *count);
    TELPHER_CHECK(parse_count(text, *count, *count) == *count);
    TELPHER_CHECK(*count == 0 || !parse_count(text, 0, *count - 1));
    std::string digits = format_count(*count);
    std::erase(digits, ',');
    TELPHER_CHECK(digits == std::to_string(*count));
}

}  // namespace
}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace telpher::fuzz;
    const std::string_view text = text_of(data, size);
    check_duration(text);
    check_size(text);
    check_count(text);
    return 0;
}
