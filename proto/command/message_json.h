// A message as one JSON object: what `get -o ndjson` and `peek` print and `put --json-lines` reads, so that one can
// feed the other. A body that is not valid UTF-8 goes as base64. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "telpher/error.h"

namespace telpher::command {

using Json = nlohmann::ordered_json;

std::string base64_encode(std::string_view bytes);
/// RFC 4648, with padding. kUsage for anything else.
Result<std::string> base64_decode(std::string_view text);

/// Well-formed UTF-8 as RFC 3629 has it: no surrogates, nothing overlong.
bool is_utf8(std::string_view bytes);

/// Sets "body", or "body_base64" if the body is not UTF-8; headers and keys that are not get U+FFFD when dumped.
void set_body(Json& object, std::string_view body);

/// One object as one line of text, without the end of line.
std::string dump(const Json& object);

/// What a line of `put --json-lines` says.
struct JsonMessage {
    std::string body, key;
    std::vector<std::pair<std::string, std::string>> headers;
};

/// An object with "body" or "body_base64", and optionally "key" (text) and "headers" (object of texts). Other members
/// are ignored, so what `get -o ndjson` printed can be put again. kUsage with the reason.
Result<JsonMessage> parse_message(std::string_view line);

}  // namespace telpher::command
