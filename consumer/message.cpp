// Message: a lease in 112 bytes of the caller's, without allocation.
#include <algorithm>
#include <new>

#include "consumer/message_impl.h"
#include "consumer/settle_batcher.h"
#include "proto/batch.h"
#include "proto/limits.h"

namespace telpher {

namespace {

using consumer::Decision;

/// The end says what went wrong.
std::string tail(std::string_view reason) {
    return std::string(reason.substr(reason.size() - std::min(reason.size(), limits::kReasonBytesMax)));
}

std::uint64_t delay_ms(Millis delay) {
    return static_cast<std::uint64_t>(std::clamp<Millis>(delay, Millis{0}, limits::kNackDelayMax).count());
}

}  // namespace

Result<Message::Impl> Message::Impl::decode(std::shared_ptr<consumer::Delivery> delivery, std::uint32_t index,
                                            Bytes record) {
    Impl impl;
    impl.record = record.data();
    impl.record_bytes = static_cast<std::uint32_t>(record.size());
    impl.index = index;
    impl.payload_at = 1;
    if (record.empty() || record.front() != std::byte{0}) [[unlikely]] {  // else: no key, no headers
        const auto view = batch::decode_record(record);
        if (!view) return fail(view.error());
        impl.payload_at = impl.record_bytes - static_cast<std::uint32_t>(view->payload.size());
        impl.key_bytes = static_cast<std::uint32_t>(view->key.size());
        if (view->has_key) impl.key_at = static_cast<std::uint32_t>(view->key.data() - record.data());
    }
    impl.delivery = std::move(delivery);
    return impl;
}

// storage_ holds an Impl from construction to destruction.
static Message::Impl& impl_of(std::byte* storage) { return *std::launder(reinterpret_cast<Message::Impl*>(storage)); }
static const Message::Impl& impl_of(const std::byte* storage) {
    return *std::launder(reinterpret_cast<const Message::Impl*>(storage));
}

Message::Message(Impl&& impl) {
    static_assert(sizeof(Impl) <= sizeof storage_ && alignof(Impl) <= 8);
    new (storage_) Impl(std::move(impl));
}

Message::Message(Message&& other) noexcept { new (storage_) Impl(std::move(impl_of(other.storage_))); }

Message& Message::operator=(Message&& other) noexcept {
    if (this == &other) return *this;
    release();
    impl_of(storage_) = std::move(impl_of(other.storage_));
    return *this;
}

Message::~Message() {
    release();
    impl_of(storage_).~Impl();
}

std::uint64_t Message::id() const {
    const Impl& impl = impl_of(storage_);
    return impl.delivery->first() + impl.index;
}

std::span<const std::byte> Message::body() const {
    const Impl& impl = impl_of(storage_);
    return {impl.record + impl.payload_at, impl.record_bytes - impl.payload_at};
}

std::string_view Message::text() const { return as_text(body()); }

std::string_view Message::key() const {
    const Impl& impl = impl_of(storage_);
    return as_text({impl.record + impl.key_at, impl.key_bytes});
}

std::vector<std::pair<std::string_view, std::string_view>> Message::headers() const {
    const Impl& impl = impl_of(storage_);
    std::vector<std::pair<std::string_view, std::string_view>> headers;
    const auto view = batch::decode_record({impl.record, impl.record_bytes});
    if (!view) return headers;  // decoded once before: cannot be
    headers.reserve(view->headers.size());
    for (const auto& [name, value] : view->headers) headers.emplace_back(name, as_text(value));
    return headers;
}

std::uint32_t Message::attempt() const { return impl_of(storage_).delivery->attempt(); }

std::uint32_t Message::delivery() const { return impl_of(storage_).delivery->number(); }

std::int64_t Message::put_ms() const { return static_cast<std::int64_t>(impl_of(storage_).delivery->put_ms()); }

/// The first verdict counts; a moved-from message has none to give.
static void settle(Message::Impl& impl, const Decision& decision) {
    if (impl.settled || impl.delivery == nullptr) return;
    impl.settled = true;
    impl.delivery->owner().settle(*impl.delivery, impl.index, decision);
}

void Message::ack() { settle(impl_of(storage_), {.verdict = v1::Settle::VERDICT_ACK}); }

void Message::nack(std::string_view reason) {
    settle(impl_of(storage_), {.verdict = v1::Settle::VERDICT_NACK, .backoff = true, .reason = tail(reason)});
}

void Message::nack(Millis delay, std::string_view reason) {
    settle(impl_of(storage_),
           {.verdict = v1::Settle::VERDICT_NACK, .delay_ms = delay_ms(delay), .reason = tail(reason)});
}

void Message::release() { settle(impl_of(storage_), {.verdict = v1::Settle::VERDICT_RELEASE}); }

void Message::dead(std::string_view reason) {
    settle(impl_of(storage_), {.verdict = v1::Settle::VERDICT_DEAD, .reason = tail(reason)});
}

Result<void> Message::ack_confirmed(Millis timeout) {
    Impl& impl = impl_of(storage_);
    if (impl.settled) return fail(Code::kUsage, "the message has its verdict already");
    impl.settled = true;
    return impl.delivery->owner().ack_confirmed(*impl.delivery, impl.index, timeout);
}

Result<void> Message::extend(Millis lease, Millis timeout) {
    Impl& impl = impl_of(storage_);
    if (impl.settled) return fail(Code::kUsage, "the message has its verdict already");
    if (lease <= Millis{0}) return fail(Code::kBadOption, "a lease is longer than 0");
    return impl.delivery->owner().extend(*impl.delivery, impl.index, lease, timeout);
}

}  // namespace telpher
