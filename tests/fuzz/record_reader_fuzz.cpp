// The first byte chooses the framing, the rest is what `telpher put` reads. Records and what separates them are the
// whole input, up to where it is refused.
#include "producer/record_reader.h"

#include <sys/mman.h>
#include <unistd.h>

#include "proto/base/check.h"
#include "proto/limits.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"

namespace telpher::fuzz {

std::vector<std::string> seeds() {
    using namespace std::string_literals;
    return {"\0whole\ninput\0"s,    "\1one\ntwo\n\nfour"s, "\2one\0two\0"s, "\3\3\0\0\0abc\0\0\0\0\1\0\0\0x"s,
            "\3\xff\xff\xff\xffx"s, "\3\2\0\0\0x"s};
}

namespace {

/// A file in memory that holds `bytes`, to be read from its beginning; the same one every time.
int file_with(const std::string& bytes) {
    static const int kFile = ::memfd_create("fuzz", MFD_CLOEXEC);
    const auto written = ::pwrite(kFile, bytes.data(), bytes.size(), 0);
    TELPHER_CHECK(written == static_cast<ssize_t>(bytes.size()));
    TELPHER_CHECK(::ftruncate(kFile, written) == 0 && ::lseek(kFile, 0, SEEK_SET) == 0);
    return kFile;
}

/// The record as it stands in the input, but for the last separator, which may lack.
std::string framed(std::string_view record, Framing framing) {
    if (framing == Framing::kLines) return std::string(record) + '\n';
    if (framing == Framing::kNull) return std::string(record) + '\0';
    if (framing == Framing::kWhole) return std::string(record);
    std::string text(sizeof(std::uint32_t), '\0');
    store_le(reinterpret_cast<std::byte*>(text.data()), static_cast<std::uint32_t>(record.size()));
    return text.append(record);
}

void read_all(const std::string& input, Framing framing) {
    RecordReader reader(file_with(input), -1, framing);
    std::string again;
    for (;;) {
        const auto record = reader.next();
        if (!record) {
            const Code code = record.error().code();
            TELPHER_CHECK(code == Code::kEnd || code == Code::kIo || code == Code::kTooLarge);
            TELPHER_CHECK(code == Code::kEnd || framing == Framing::kLengthPrefixed);
            if (code == Code::kEnd) TELPHER_CHECK(reader.consumed_bytes() == input.size());
            break;
        }
        TELPHER_CHECK(record->size() <= limits::kMessageBytesMax);
        again += framed(*record, framing);
        TELPHER_CHECK(reader.consumed_bytes() <= input.size());
    }
    again.resize(std::min<std::size_t>(again.size(), reader.consumed_bytes()));
    TELPHER_CHECK(input.starts_with(again) && again.size() == reader.consumed_bytes());
}

}  // namespace
}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    telpher::fuzz::Choices choices(data, size);
    const auto framing = static_cast<telpher::Framing>(choices.below(4));
    telpher::fuzz::read_all(choices.rest(), framing);
    return 0;
}
