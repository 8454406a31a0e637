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
    for (std::uint32_t i = 0; i < count; ++i) bytes += load_le<std::uint32_t>(lengths.data() + i * kLengthBytes);
    if (bytes != records.size()) return fail(Code::kProtocol, "DELIVER: records");

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
    delivery->held_ = count;
    if (count > 64) delivery->gone_many_.resize((count + 63) / 64);
    return delivery;
}

Bytes Delivery::advance() {
    const std::size_t at = record_at_;
    const std::size_t bytes = load_le<std::uint32_t>(lengths_.data() + cursor_ * kLengthBytes);
    record_at_ += bytes;
    ++cursor_;
    return {records_.data() + at, bytes};
}

bool Delivery::let_go(std::uint32_t index) {
    std::uint64_t& word = count_ <= 64 ? gone_few_ : gone_many_[index / 64];
    const std::uint64_t bit = std::uint64_t{1} << (index % 64);
    if ((word & bit) != 0) return false;
    word |= bit;
    --held_;
    return true;
}

std::uint64_t Delivery::charge(std::uint32_t index) const {
    const std::uint64_t each = charge_ / count_;
    return index + 1 == count_ ? charge_ - each * (count_ - 1) : each;
}

}  // namespace telpher::consumer
