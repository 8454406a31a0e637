#include "proto/command/message_json.h"

#include <array>
#include <optional>

namespace telpher::command {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::uint32_t byte_at(std::string_view bytes, std::size_t at) {
    return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0U;
}

/// Bytes of the UTF-8 sequence that starts at `at`; 0 if it is malformed.
std::size_t sequence_length(std::string_view bytes, std::size_t at) {
    const std::uint32_t first = byte_at(bytes, at);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || at + length > bytes.size()) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte_at(bytes, at + i) & 0xC0) != 0x80) return 0;
    }
    const std::uint32_t second = byte_at(bytes, at + 1);
    const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
    const bool beyond = (first == 0xED && second >= 0xA0) || (first == 0xF4 && second >= 0x90);
    return overlong || beyond ? 0 : length;
}

Result<std::string> text_member(const Json& object, const char* name) {
    const Json& member = object.at(name);
    if (!member.is_string()) return fail(Code::kUsage, std::string("\"") + name + "\" is not a text");
    return member.get<std::string>();
}

Result<std::string> read_body(const Json& object) {
    if (object.contains("body")) return text_member(object, "body");
    if (!object.contains("body_base64")) return fail(Code::kUsage, "neither \"body\" nor \"body_base64\"");
    const auto text = text_member(object, "body_base64");
    return text ? base64_decode(*text) : text;
}

Result<void> read_headers(const Json& object, JsonMessage& message) {
    const Json& headers = object.at("headers");
    if (!headers.is_object()) return fail(Code::kUsage, "\"headers\" is not an object");
    for (const auto& [name, value] : headers.items()) {
        if (!value.is_string()) return fail(Code::kUsage, "header \"" + name + "\" is not a text");
        message.headers.emplace_back(name, value.get<std::string>());
    }
    return {};
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const std::uint32_t bits = byte_at(bytes, at) << 16 | byte_at(bytes, at + 1) << 8 | byte_at(bytes, at + 2);
        text.push_back(kAlphabet[bits >> 18]);
        text.push_back(kAlphabet[bits >> 12 & 63]);
        text.push_back(at + 1 < bytes.size() ? kAlphabet[bits >> 6 & 63] : '=');
        text.push_back(at + 2 < bytes.size() ? kAlphabet[bits & 63] : '=');
    }
    return text;
}

Result<std::string> base64_decode(std::string_view text) {
    const auto refuse = [] { return fail(Code::kUsage, "not base64"); };
    if (text.size() % 4 != 0) return refuse();
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3);
    for (std::size_t at = 0; at < text.size(); at += 4) {
        std::uint32_t bits = 0;
        for (std::size_t i = at; i < at + 4; ++i) {
            const bool padded = i >= text.size() - padding;
            const std::size_t value = padded ? 0 : kAlphabet.find(text[i]);
            if (value == std::string_view::npos) return refuse();
            bits = bits << 6 | static_cast<std::uint32_t>(value);
        }
        bytes.push_back(static_cast<char>(bits >> 16 & 255));
        bytes.push_back(static_cast<char>(bits >> 8 & 255));
        bytes.push_back(static_cast<char>(bits & 255));
    }
    bytes.resize(bytes.size() - padding);
    return bytes;
}

bool is_utf8(std::string_view bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t length = sequence_length(bytes, at);
        if (length == 0) return false;
        at += length;
    }
    return true;
}

void set_body(Json& object, std::string_view body) {
    if (is_utf8(body)) {
        object["body"] = body;
    } else {
        object["body_base64"] = base64_encode(body);
    }
}

std::string dump(const Json& object) { return object.dump(-1, ' ', false, Json::error_handler_t::replace); }

Result<JsonMessage> parse_message(std::string_view line) {
    const Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) return fail(Code::kUsage, "not a JSON object");
    JsonMessage message;
    auto body = read_body(object);
    if (!body) return fail(body.error());
    message.body = std::move(*body);
    if (object.contains("key")) {
        auto key = text_member(object, "key");
        if (!key) return fail(key.error());
        message.key = std::move(*key);
    }
    if (object.contains("headers")) {
        if (auto read = read_headers(object, message); !read) return fail(read.error());
    }
    return message;
}

}  // namespace telpher::command
