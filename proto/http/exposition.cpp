#include "proto/http/exposition.h"

#include <array>
#include <charconv>
#include <cmath>

namespace telpher::http {
namespace {

/// Written without an exponent, as people write bounds.
constexpr double kPlainMin = 1e-6;
constexpr double kPlainMax = 1e15;
constexpr double kExactIntegers = 9007199254740992.0;  // 2^53

void append_escaped(std::string& text, std::string_view value, bool quotes) {
    for (const char c : value) {
        if (c == '\\') {
            text += "\\\\";
        } else if (c == '\n') {
            text += "\\n";
        } else if (c == '"' && quotes) {
            text += "\\\"";
        } else {
            text += c;
        }
    }
}

}  // namespace

void Exposition::begin(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_.append("# HELP ").append(name).push_back(' ');
    append_escaped(text_, help, false);
    text_.append("\n# TYPE ").append(name).append(" ").append(type).push_back('\n');
}

std::string Exposition::labels(Labels labels) {
    std::string text;
    for (const auto& [name, value] : labels) {
        if (!text.empty()) text += ',';
        text.append(name).append("=\"");
        append_escaped(text, value, true);
        text += '"';
    }
    return text;
}

void Exposition::sample(std::string_view labels, double value) { line("", labels, value); }

void Exposition::line(std::string_view suffix, std::string_view labels, double value) {
    text_.append(name_).append(suffix);
    if (!labels.empty()) text_.append("{").append(labels).append("}");
    text_.push_back(' ');
    number(value);
    text_.push_back('\n');
}

void Exposition::number(double value) {
    std::array<char, 32> digits;
    char* const end = digits.data() + digits.size();
    const double size = std::abs(value);
    const bool whole = size < kExactIntegers && value == std::floor(value);
    const auto format = size >= kPlainMin && size < kPlainMax ? std::chars_format::fixed : std::chars_format::general;
    const auto written = whole ? std::to_chars(digits.data(), end, static_cast<std::int64_t>(value))
                               : std::to_chars(digits.data(), end, value, format);
    text_.append(digits.data(), written.ptr);
}

}  // namespace telpher::http
