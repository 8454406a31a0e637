// The input is one record. What decodes is packed again to the very same bytes: there is one way to write a record.
#include "proto/base/check.h"
#include "proto/batch.h"
#include "proto/limits.h"
#include "tests/fuzz/fuzz.h"

namespace telpher::fuzz {

std::vector<std::string> seeds() {
    using namespace std::string_literals;
    std::vector<std::string> all{"\0payload"s, "\1\3keypayload"s, "\2\2\4name\5value\1n\0payload"s,
                                 "\3\3key\1\4name\5valuepayload"s};
    all.push_back("\1\x80\1" + std::string(128, 'k') + "payload");
    return all;
}

namespace {

void check_same_again(Bytes record, const batch::RecordView& view) {
    std::vector<std::pair<std::string, std::string>> headers;
    for (const auto& [name, value] : view.headers) headers.emplace_back(name, as_text(value));
    batch::RecordIn in{view.payload, {}, &headers};
    if (view.has_key) in.key = as_text(view.key);
    TELPHER_CHECK(batch::check_record(in, limits::kMessageBytesMax).has_value());
    batch::Builder builder;
    builder.append(in, SIZE_MAX);
    const Slice sealed = builder.seal(ProducerId(1), Sequence(0), {});
    const std::size_t before = batch::kHeaderBytes + sizeof(std::uint32_t);
    TELPHER_CHECK(as_text(sealed.bytes().subspan(before)) == as_text(record));
}

}  // namespace
}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace telpher;
    const Bytes record = std::as_bytes(std::span(data, size));
    const auto view = batch::decode_record(record);
    if (view) {
        fuzz::check_same_again(record, *view);
    } else {
        const Code code = view.error().code();
        TELPHER_CHECK(code == Code::kProtocol || code == Code::kTooLarge || code == Code::kUnsupported);
    }
    return 0;
}
