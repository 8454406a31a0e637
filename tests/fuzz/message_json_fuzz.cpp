// The input is a line of `put --json-lines`, and base64. A message that is read is printed and read again the same.
#include "proto/command/message_json.h"

#include "proto/base/check.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"

namespace telpher::fuzz {

std::vector<std::string> seeds() {
    return {R"({"body":"hello"})",
            R"({"body_base64":"/+7dzLs=","key":"k"})",
            R"({"id":7,"body":"\u00e9\ud83d\ude00","headers":{"a":"1","b":""},"other":[1,2.5,null,true]})",
            R"({"body":1,"headers":[]})",
            "aGVsbG8=",
            "aGVsbG8h",
            "\xf0\x9f\x98\x80 \xed\xa0\x80"};
}

namespace {

void check_same_again(const command::JsonMessage& message) {
    command::Json object;
    command::set_body(object, message.body);
    object["key"] = message.key;
    object["headers"] = command::Json::object();
    for (const auto& [name, value] : message.headers) object["headers"][name] = value;
    const auto again = command::parse_message(command::dump(object));
    TELPHER_CHECK(again && again->body == message.body && again->key == message.key);
    TELPHER_CHECK(again->headers == message.headers);
}

}  // namespace
}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace telpher;
    const std::string_view text = fuzz::text_of(data, size);
    const auto message = command::parse_message(text);
    if (message) {
        fuzz::check_same_again(*message);
    } else {
        TELPHER_CHECK(message.error().code() == Code::kUsage);
    }
    TELPHER_CHECK(command::base64_decode(command::base64_encode(text)) == std::string(text));
    const auto decoded = command::base64_decode(text);
    TELPHER_CHECK(!decoded || decoded->size() <= text.size() / 4 * 3);
    (void)command::is_utf8(text);
    return 0;
}
