#include "proto/command/message_json.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace telpher::command {
namespace {

TEST(Base64, VectorsOfRfc4648) {
    const std::vector<std::pair<std::string, std::string>> vectors{{"", ""},
                                                                   {"f", "Zg=="},
                                                                   {"fo", "Zm8="},
                                                                   {"foo", "Zm9v"},
                                                                   {"foob", "Zm9vYg=="},
                                                                   {"fooba", "Zm9vYmE="},
                                                                   {"foobar", "Zm9vYmFy"}};
    for (const auto& [bytes, text] : vectors) {
        EXPECT_EQ(base64_encode(bytes), text);
        EXPECT_EQ(*base64_decode(text), bytes);
    }
}

RC_GTEST_PROP(Base64, RoundTrip, (const std::string& bytes)) {
    RC_ASSERT(*base64_decode(base64_encode(bytes)) == bytes);
}

TEST(Base64, RefusesWhatIsNot) {
    for (const char* text : {"Zg=", "Zg", "Z===", "=Zg=", "Zm 9", "Zm9v\n", "Z!==", "Zg==Zg=="}) {
        EXPECT_FALSE(base64_decode(text)) << text;
    }
}

TEST(Utf8, KnowsWellFormedText) {
    EXPECT_TRUE(is_utf8(""));
    EXPECT_TRUE(is_utf8("plain"));
    EXPECT_TRUE(is_utf8("gr\xc3\xbc\xc3\x9f"));
    EXPECT_TRUE(is_utf8("\xe2\x82\xac \xf0\x9f\x9a\xa0"));
    EXPECT_TRUE(is_utf8(std::string_view("\0", 1)));
    EXPECT_TRUE(is_utf8("\xf4\x8f\xbf\xbf"));
}

TEST(Utf8, RefusesTheRest) {
    for (const char* bytes :
         {"\x80", "\xc3", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\x80",
          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xe2\x82", "\xe2\x28\xa1"}) {
        EXPECT_FALSE(is_utf8(bytes));
    }
}

TEST(MessageJson, BinaryBodiesTravelAsBase64) {
    Json text, binary;
    set_body(text, "gr\xc3\xbc\xc3\x9f");
    set_body(binary, "\xff\x01");
    EXPECT_EQ(dump(text), "{\"body\":\"gr\xc3\xbc\xc3\x9f\"}");
    EXPECT_EQ(dump(binary), R"({"body_base64":"/wE="})");
}

TEST(MessageJson, ReadsWhatGetPrints) {
    const auto message =
        parse_message(R"({"id":7,"body":"b","key":"k","headers":{"a":"1","c":"2"},"attempt":1,"delivery":2})");
    ASSERT_TRUE(message);
    EXPECT_EQ(message->body, "b");
    EXPECT_EQ(message->key, "k");
    ASSERT_EQ(message->headers.size(), 2U);
    EXPECT_EQ(message->headers[1], (std::pair<std::string, std::string>("c", "2")));
    EXPECT_EQ(parse_message(R"({"body_base64":"/wE="})")->body, "\xff\x01");
}

TEST(MessageJson, RefusesWhatIsNoMessage) {
    for (const char* line : {"", "hello", "[]", "7", "{}", R"({"body":7})", R"({"body":"b","headers":[]})",
                             R"({"body":"b","headers":{"a":1}})", R"({"body":"b","key":null})",
                             R"({"body_base64":"!"})", R"({"body":"b"} {})"}) {
        const auto message = parse_message(line);
        ASSERT_FALSE(message) << line;
        EXPECT_EQ(message.error().code(), Code::kUsage);
    }
}

}  // namespace
}  // namespace telpher::command
