// Reading one record (proto/batch.h): what a consumer does once per message.
#include "proto/batch.h"
#include "proto/limits.h"
#include "proto/record_layout.h"

namespace telpher::batch {
namespace {

/// Takes fields off the front of a record; after the first error there is nothing left.
class Reader {
public:
    explicit Reader(Bytes left) : left_(left) {}

    [[nodiscard]] Bytes left() const { return left_; }

    /// A varint of 32 bit in its shortest form.
    std::optional<std::uint32_t> varint() {
        std::uint64_t value = 0;
        for (unsigned i = 0; i < kVarintBytesMax && i < left_.size(); ++i) {
            const auto byte = std::to_integer<std::uint64_t>(left_[i]);
            value |= (byte & 0x7f) << (7 * i);
            if (byte >= 0x80) continue;
            if ((byte == 0 && i > 0) || value > UINT32_MAX) return std::nullopt;
            left_ = left_.subspan(i + 1);
            return static_cast<std::uint32_t>(value);
        }
        return std::nullopt;
    }

    /// A varint and as many bytes.
    std::optional<Bytes> field() {
        const auto size = varint();
        if (!size || *size > left_.size()) return std::nullopt;
        const Bytes field = left_.first(*size);
        left_ = left_.subspan(*size);
        return field;
    }

private:
    static constexpr unsigned kVarintBytesMax = 5;
    Bytes left_;
};

Result<void> read_headers(Reader& reader, RecordView& view) {
    constexpr std::size_t kHeaderBytesLeast = 2;  // two lengths of 0
    const auto count = reader.varint();
    if (!count || *count == 0) return fail(Code::kProtocol, "record header count");
    if (*count > limits::kHeadersMax) return fail(Code::kTooLarge, "record headers");
    if (*count > reader.left().size() / kHeaderBytesLeast) return fail(Code::kProtocol, "record headers cut short");
    view.headers.reserve(*count);
    std::size_t bytes = 0;
    for (std::uint32_t i = 0; i < *count; ++i) {
        const auto name = reader.field();
        const auto value = name ? reader.field() : std::nullopt;
        if (!value) return fail(Code::kProtocol, "record header cut short");
        bytes += name->size() + value->size();
        view.headers.emplace_back(as_text(*name), *value);
    }
    if (bytes > limits::kHeadersBytesMax) return fail(Code::kTooLarge, "record header bytes");
    return {};
}

}  // namespace

Result<RecordView> decode_record(Bytes record) {
    if (record.empty()) return fail(Code::kProtocol, "record without flags");
    const auto flags = std::to_integer<std::uint8_t>(record.front());
    if ((flags & ~record::kFlags) != 0) return fail(Code::kUnsupported, "record flag");
    Reader reader(record.subspan(1));
    RecordView view;
    if ((flags & record::kHasKey) != 0) {
        const auto key = reader.field();
        if (!key) return fail(Code::kProtocol, "record key cut short");
        if (key->size() > limits::kKeyBytesMax) return fail(Code::kTooLarge, "record key");
        view.key = *key;
        view.has_key = true;
    }
    if ((flags & record::kHasHeaders) != 0) {
        if (auto headers = read_headers(reader, view); !headers) return fail(std::move(headers.error()));
    }
    view.payload = reader.left();
    return view;
}

}  // namespace telpher::batch
