#include "proto/service/log_formats.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "proto/service/log_line.h"

namespace telpher::service {
namespace {

using Json = nlohmann::ordered_json;

struct Stamp {
    std::time_t seconds;
    int ms;
};

Stamp stamp_of(const spdlog::details::log_msg& message) {
    const auto since = std::chrono::floor<std::chrono::milliseconds>(message.time.time_since_epoch()).count();
    return {static_cast<std::time_t>(since / 1000), static_cast<int>(since % 1000)};
}

std::string_view view(spdlog::string_view_t text) { return {text.data(), text.size()}; }

}  // namespace

void TextFormatter::format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) {
    const Stamp stamp = stamp_of(message);
    std::tm local{};
    ::localtime_r(&stamp.seconds, &local);
    fmt::format_to(std::back_inserter(out), "{:%Y-%m-%dT%H:%M:%S}.{:03}{:%z} {} {} ", local, stamp.ms, local,
                   view(spdlog::level::to_string_view(message.level)), view(message.logger_name));
    for (const char c : split_line(view(message.payload)).text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
        } else {
            out.push_back(c);
        }
    }
    out.push_back('\n');
}

std::unique_ptr<spdlog::formatter> TextFormatter::clone() const { return std::make_unique<TextFormatter>(); }

void JsonFormatter::format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) {
    const Stamp stamp = stamp_of(message);
    const LogLine line = split_line(view(message.payload));
    Json json;
    json["time"] = fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(stamp.seconds), stamp.ms);
    json["level"] = view(spdlog::level::to_string_view(message.level));
    json["program"] = view(message.logger_name);
    json["message"] = line.text;
    for (const auto& [name, value] : line.fields) json[std::string(name)] = value;
    const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);  // not UTF-8: U+FFFD
    out.append(text.data(), text.data() + text.size());
    out.push_back('\n');
}

std::unique_ptr<spdlog::formatter> JsonFormatter::clone() const { return std::make_unique<JsonFormatter>(); }

}  // namespace telpher::service
