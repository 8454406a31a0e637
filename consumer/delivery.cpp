#include "consumer/delivery.h"

#include "proto/base/bytes.h"
#include "proto/limits.h"

namespace telpher::consumer {

namespace {

constexpr std::size_t kLengthBytes = sizeof(std::uint32_t);

}  // namespace

Result<std::shared_ptr<Delivery>> Delivery::parse(const v1::Deliver& header, Slice lengths, Slice records,
                                                  std::shared_ptr<LeaseOwner> owner) {
    const std::uint32_t count = header.count();
    if (count == 0 || count > limits::kBatchCountMax) return fail(Code::kProtocol, "DELIVER: count");
    if (header.first_offset() + count < header.first_offset()) return fail(Code::kProtocol, "DELIVER: offset");
    if (lengths.size() != count * kLengthBytes) return fail(Code::kProtocol, "DELIVER: lengths");
    std::uint64_t bytes = 0;
    std::uint32_t messages = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto length = load_le<std::uint32_t>(lengths.data() + i * kLengthBytes);
        bytes += length;
        messages += length > 0 ? 1 : 0;
    }
    if (bytes != records.size()) return fail(Code::kProtocol, "DELIVER: records");
    if (load_le<std::uint32_t>(lengths.data()) == 0) return fail(Code::kProtocol, "DELIVER: first length");

    std::shared_ptr<Delivery> delivery(new Delivery);
    delivery->owner_ = std::move(owner);
    delivery->lengths_ = std::move(lengths);
    delivery->records_ = std::move(records);
    delivery->first_ = header.first_offset();
    delivery->put_ms_ = header.put_ms();
    delivery->charge_ = header.charged_bytes() > 0 ? header.charged_bytes() : bytes;
    delivery->count_ = count;
    delivery->number_ = header.delivery();
    delivery->attempt_ = header.attempt();
    delivery->messages_ = messages;
    delivery->held_ = messages;
    if (count > 64) delivery->gone_many_.resize((count + 63) / 64);
    for (std::uint32_t i = 0; messages < count && i < count; ++i) {
        if (delivery->length(i) == 0) delivery->word(i) |= bit(i);
    }
    return delivery;
}

std::uint32_t Delivery::length(std::uint32_t index) const {
    return load_le<std::uint32_t>(lengths_.data() + index * kLengthBytes);
}

std::uint32_t Delivery::left_out_before(std::uint32_t index) const {
    std::uint32_t count = 0;
    while (count < index && left_out(index - count - 1)) ++count;
    return count;
}

Bytes Delivery::advance() {
    const std::size_t at = record_at_;
    const std::size_t bytes = length(cursor_);
    record_at_ += bytes;
    ++cursor_;
    return {records_.data() + at, bytes};
}

bool Delivery::let_go(std::uint32_t index) {
    if (!holds(index)) return false;
    word(index) |= bit(index);
    --held_;
    return true;
}

std::uint64_t Delivery::charge(std::uint32_t index) const {
    const std::uint64_t each = charge_ / messages_;
    return index == 0 ? charge_ - each * (messages_ - 1) : each;
}

}  // namespace telpher::consumer
