// The first byte says which columns are known; the rest is a batch. It is parsed as it is, and once more with a
// checksum that holds, since no mutation gets past that.
#include "proto/base/check.h"
#include "proto/batch.h"
#include "proto/batch_layout.h"
#include "proto/limits.h"
#include "tests/fuzz/fuzz.h"

namespace telpher::fuzz {
namespace {

using namespace batch;

constexpr std::uint32_t kAllColumns = 0xff;

/// Whatever parse() lets through adds up, can be cut and can be read.
void check_consistent(const View& view) {
    std::uint64_t bytes = 0;
    for (std::uint32_t i = 0; i < view.count(); ++i) {
        const Slice record = view.records(i, 1);
        TELPHER_CHECK(view.bytes_before(i) == bytes);
        TELPHER_CHECK(!record.empty());
        TELPHER_CHECK(load_le<std::uint32_t>(view.lengths(i, 1).data()) == record.size());
        bytes += record.size();
        (void)decode_record(record.bytes());
    }
    TELPHER_CHECK(bytes == view.records_bytes());
    const std::uint32_t index = view.count() / 2;
    const Slice cut = view.cut(index, view.count() - index);
    const auto part = View::parse(cut, limits::kMessageBytesMax, kAllColumns);
    TELPHER_CHECK(part.has_value());
    TELPHER_CHECK(part->header().first == view.header().first + index && part->header().first >= view.header().first);
    TELPHER_CHECK(view.bytes_before(index) + part->records_bytes() == bytes);
    TELPHER_CHECK(View::reopen(cut, true).has_value());
}

void parse(const Slice& batch, std::uint32_t columns) {
    const auto view = View::parse(batch, limits::kMessageBytesDefault, columns);
    if (view) {
        check_consistent(*view);
        return;
    }
    const Code code = view.error().code();
    TELPHER_CHECK(code == Code::kProtocol || code == Code::kTooLarge || code == Code::kChecksum ||
                  code == Code::kUnsupported);
    if (const auto unverified = View::reopen(batch, false)) {
        TELPHER_CHECK(unverified->records(0, unverified->count()).size() == unverified->records_bytes());
    }
}

std::string sample(std::size_t messages) {
    const std::vector<std::pair<std::string, std::string>> headers{{"name", "value"}};
    Builder builder;
    for (std::size_t i = 0; i < messages; ++i) {
        const std::string payload(i % 5, 'x');
        RecordIn record{as_bytes(payload), {}, i % 4 == 1 ? &headers : nullptr};
        if (i % 3 == 1) record.key = "key";
        builder.append(record, SIZE_MAX);
    }
    const Slice sealed = builder.seal(ProducerId(1), Sequence(9), WallTime{1});
    return '\xff' + std::string(as_text(sealed.bytes()));
}

/// A sample with a table: `table` follows the lengths.
std::string sample_with_table(std::size_t messages, const std::string& table) {
    std::string input = sample(messages);
    input.insert(1 + kHeaderBytes + layout::kLengthBytes * messages, table);
    auto* batch = reinterpret_cast<std::byte*>(input.data() + 1);
    Header header;
    header.count = static_cast<std::uint32_t>(messages);
    header.attribute_bytes = static_cast<std::uint32_t>(table.size());
    layout::finish({batch, input.size() - 1}, header);
    return input;
}

}  // namespace

std::vector<std::string> seeds() {
    using namespace std::string_literals;
    return {sample(1), sample(3), sample(20), sample_with_table(2, "\x03\0\0\0"s + std::string(2 + 16, 'p')),
            sample_with_table(3, "\x10\0\0\0"s + std::string(48, 'd'))};
}

}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace telpher;
    if (size == 0) return 0;
    const std::uint32_t columns = data[0];
    std::vector<std::byte> bytes(size - 1);
    if (size > 1) std::memcpy(bytes.data(), data + 1, size - 1);
    fuzz::parse(Slice::own(bytes), columns);
    if (bytes.size() < batch::kHeaderBytes) return 0;
    // Bytes of the body too: nearly every other mutation would end there.
    store_le(bytes.data() + batch::layout::kBodyBytesAt,
             static_cast<std::uint32_t>(bytes.size() - batch::kHeaderBytes));
    store_le(bytes.data() + batch::layout::kChecksumAt, batch::layout::checksum(bytes));
    fuzz::parse(Slice::own(std::move(bytes)), columns);
    return 0;
}
