#include "proto/base/units.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <limits>

namespace telpher {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr std::uint64_t kSecond = 1'000;
constexpr std::array kDurations{Unit{"ms", 1}, Unit{"s", kSecond}, Unit{"m", 60 * kSecond}, Unit{"h", 3600 * kSecond},
                                Unit{"d", 24 * 3600 * kSecond}};
constexpr std::array kSizes{Unit{"", 1},
                            Unit{"B", 1},
                            Unit{"kB", 1'000},
                            Unit{"KB", 1'000},
                            Unit{"MB", 1'000'000},
                            Unit{"GB", 1'000'000'000},
                            Unit{"TB", 1'000'000'000'000},
                            Unit{"KiB", 1ULL << 10},
                            Unit{"MiB", 1ULL << 20},
                            Unit{"GiB", 1ULL << 30},
                            Unit{"TiB", 1ULL << 40}};
// Far beyond any use, and small enough that sums of times never overflow.
constexpr std::uint64_t kDurationMaxMs = 1000ULL * 365 * 24 * 3600 * kSecond;

struct Number {
    std::uint64_t value;
    std::string_view unit;
};

/// Digits, then a unit.
Result<Number> split(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) return fail(Code::kUsage, "not a number: '" + std::string(text) + "'");
    return Number{value, text.substr(static_cast<std::size_t>(end - text.data()))};
}

template <std::size_t N>
Result<std::uint64_t> scale(std::string_view text, const std::array<Unit, N>& units, std::uint64_t max,
                            std::string_view examples) {
    const auto number = split(text);
    if (!number) return fail(number.error());
    for (const Unit& unit : units) {
        if (unit.name != number->unit) continue;
        if (number->value > max / unit.factor) return fail(Code::kUsage, "too large: '" + std::string(text) + "'");
        return number->value * unit.factor;
    }
    return fail(Code::kUsage, "unknown unit in '" + std::string(text) + "' (say " + std::string(examples) + ")");
}

std::string one_decimal(double number, std::string_view unit) {
    std::array<char, 48> buffer{};
    const int digits = number < 99.95 ? 1 : 0;
    const int size = std::snprintf(buffer.data(), buffer.size(), "%.*f", digits, number);
    return std::string(buffer.data(), static_cast<std::size_t>(size)) + std::string(unit);
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
    if (text == "0") return std::chrono::milliseconds{0};
    const auto ms = scale(text, kDurations, kDurationMaxMs, "500ms, 30s, 5m or 2h");
    if (!ms) return fail(ms.error());
    return std::chrono::milliseconds{static_cast<std::int64_t>(*ms)};
}

Result<std::uint64_t> parse_size(std::string_view text) {
    return scale(text, kSizes, std::numeric_limits<std::uint64_t>::max(), "512, 64KiB or 1MB");
}

Result<std::uint64_t> parse_count(std::string_view text, std::uint64_t min, std::uint64_t max) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    std::string why;
    if (text.empty() || end != text.data() + text.size()) {
        why.append("not a whole number: '").append(text).append("'");
    } else if (error != std::errc{}) {
        why.append(text).append(" is too large");
    } else if (value < min || value > max) {
        why.append(text).append(" is not ").append(format_count(min));
        why.append(max == UINT64_MAX ? " or more" : " to " + format_count(max));
    } else {
        return value;
    }
    return fail(Code::kUsage, std::move(why));
}

std::string format_duration(std::chrono::milliseconds duration) {
    const auto ms = static_cast<std::uint64_t>(duration.count());
    if (ms == 0) return "0";
    for (auto unit = kDurations.rbegin(); unit != kDurations.rend(); ++unit) {
        if (ms % unit->factor == 0) return std::to_string(ms / unit->factor) + std::string(unit->name);
    }
    return std::to_string(ms) + "ms";
}

std::string format_size(std::uint64_t bytes) {
    if (bytes == 0) return "0";
    for (auto unit = kSizes.rbegin(); unit != kSizes.rend(); ++unit) {
        const bool binary = unit->name.ends_with("iB");
        if (binary && bytes % unit->factor == 0) return std::to_string(bytes / unit->factor) + std::string(unit->name);
    }
    return std::to_string(bytes);
}

std::string format_bytes(std::uint64_t bytes) {
    constexpr std::array<std::string_view, 5> kNames{" B", " KiB", " MiB", " GiB", " TiB"};
    if (bytes < 1024) return std::to_string(bytes) + " B";
    auto number = static_cast<double>(bytes);
    std::size_t power = 0;
    while (number >= 1024 && power + 1 < kNames.size()) {
        number /= 1024;
        ++power;
    }
    return one_decimal(number, kNames[power]);
}

std::string format_count(std::uint64_t count) {
    std::string digits = std::to_string(count);
    for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
    return digits;
}

std::string format_short(double number) {
    if (number < 1'000) return std::to_string(static_cast<std::uint64_t>(number));
    if (number < 999'950) return one_decimal(number / 1e3, "k");
    if (number < 999'950'000) return one_decimal(number / 1e6, "M");
    return one_decimal(number / 1e9, "G");
}

}  // namespace telpher
