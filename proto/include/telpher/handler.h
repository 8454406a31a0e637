// What `telpher run --so LIB` loads: a handler in a shared library. The library needs this header and nothing else; it
// links nothing of Telpher's, and works with every worker of the same TELPHER_HANDLER_ABI.
//
//     #include <telpher/handler.h>
//     static telpher::handler::Verdict handle(const telpher::handler::Message& message) {
//         if (message.body().empty()) return telpher::handler::Verdict::dead("nothing in it");
//         return telpher::handler::Verdict::ack();
//     }
//     TELPHER_HANDLER(handle)
//
// The handler is called by T threads of each worker process at once. What it throws is a failed attempt. A process in
// which it crashes is replaced; only its message is blamed. Global objects of the library live as long as the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

#include "telpher/export.h"

/// Raised when what follows changes.
#define TELPHER_HANDLER_ABI 1

// NOLINTBEGIN(readability-identifier-naming): names of a C interface.
extern "C" {

/// A header of a message.
struct telpher_handler_header {
    const char* name;
    std::size_t name_bytes;
    const char* value;
    std::size_t value_bytes;
};

/// A message; valid for the call.
struct telpher_handler_message {
    std::size_t bytes;  ///< Of this struct, as the worker knows it.
    const char* queue;
    std::size_t queue_bytes;
    std::uint64_t id;
    const char* body;
    std::size_t body_bytes;
    const char* key;
    std::size_t key_bytes;
    const telpher_handler_header* headers;
    std::size_t header_count;
    std::uint32_t attempt;   ///< 1 = first try; failed handlings + 1.
    std::uint32_t delivery;  ///< 1 = handed out for the first time.
    std::int64_t put_ms;     ///< Wall clock of the producer, milliseconds.
};

/// Where the verdict goes. It begins as a failed attempt.
struct telpher_handler_verdict {
    std::size_t bytes;      ///< Of this struct, as the worker knows it.
    std::int32_t kind;      ///< 0 ack, 1 retry, 2 fail, 3 dead, 4 release, 5 pause (release, and the worker pauses).
    std::int64_t delay_ms;  ///< Of a retry or failure; negative: the queue's backoff.
    void* context;          ///< For set_reason.
    void (*set_reason)(void* context, const char* text, std::size_t bytes);  ///< Copies it; at most 4 KiB are kept.
};

/// What the library shows.
struct telpher_handler_entry {
    std::uint32_t abi;  ///< TELPHER_HANDLER_ABI
    void (*handle)(const telpher_handler_message* message, telpher_handler_verdict* verdict);
};

}  // extern "C"
// NOLINTEND(readability-identifier-naming)

namespace telpher::handler {

/// A message, for C++. Views: valid for the call.
class Message {
public:
    explicit Message(const telpher_handler_message& raw) : raw_(&raw) {}
    [[nodiscard]] std::string_view queue() const { return {raw_->queue, raw_->queue_bytes}; }
    [[nodiscard]] std::uint64_t id() const { return raw_->id; }
    [[nodiscard]] std::string_view body() const { return {raw_->body, raw_->body_bytes}; }
    [[nodiscard]] std::string_view key() const { return {raw_->key, raw_->key_bytes}; }
    [[nodiscard]] std::uint32_t attempt() const { return raw_->attempt; }
    [[nodiscard]] std::uint32_t delivery() const { return raw_->delivery; }
    [[nodiscard]] std::int64_t put_ms() const { return raw_->put_ms; }
    [[nodiscard]] std::size_t header_count() const { return raw_->header_count; }
    [[nodiscard]] std::string_view header_name(std::size_t i) const {
        return {raw_->headers[i].name, raw_->headers[i].name_bytes};
    }
    [[nodiscard]] std::string_view header_value(std::size_t i) const {
        return {raw_->headers[i].value, raw_->headers[i].value_bytes};
    }
    /// The value of the first header of that name; empty if there is none.
    [[nodiscard]] std::string_view header(std::string_view name) const {
        for (std::size_t i = 0; i < header_count(); ++i) {
            if (header_name(i) == name) return header_value(i);
        }
        return {};
    }

private:
    const telpher_handler_message* raw_;
};

/// What the handler says of its message.
struct Verdict {
    std::int32_t kind = 0;
    std::int64_t delay_ms = -1;
    std::string reason;

    static Verdict ack() { return {}; }
    /// Failed for now: again after the queue's backoff, or after `delay_ms`.
    static Verdict retry(std::string reason = {}, std::int64_t delay_ms = -1) {
        return {1, delay_ms, static_cast<std::string&&>(reason)};
    }
    /// Failed: again until it has no attempts left.
    static Verdict fail(std::string reason) { return {2, -1, static_cast<std::string&&>(reason)}; }
    /// Dead-letter now.
    static Verdict dead(std::string reason) { return {3, -1, static_cast<std::string&&>(reason)}; }
    /// Hand back, no blame.
    static Verdict release() { return {4, -1, {}}; }
    /// The same, and the worker takes a pause: what the handler needs is away.
    static Verdict pause() { return {5, -1, {}}; }
};

/// Calls `function` and hands on what it says or throws.
template <class Function>
void call(Function&& function, const telpher_handler_message* raw, telpher_handler_verdict* out) noexcept {
    const auto say = [out](std::int32_t kind, std::int64_t delay_ms, std::string_view reason) {
        out->kind = kind;
        out->delay_ms = delay_ms;
        if (!reason.empty()) out->set_reason(out->context, reason.data(), reason.size());
    };
    try {
        const Verdict verdict = function(Message(*raw));
        say(verdict.kind, verdict.delay_ms, verdict.reason);
    } catch (const std::exception& error) {
        say(2, -1, error.what());
    } catch (...) {
        say(2, -1, "the handler threw what is no std::exception");
    }
}

}  // namespace telpher::handler

/// Shows `function`, a telpher::handler::Verdict(const telpher::handler::Message&), to the worker. Once in a library.
#define TELPHER_HANDLER(function)                                                                               \
    extern "C" TELPHER_API const telpher_handler_entry* telpher_handler() {                                     \
        static const telpher_handler_entry entry{                                                               \
            TELPHER_HANDLER_ABI, [](const telpher_handler_message* message, telpher_handler_verdict* verdict) { \
                ::telpher::handler::call(function, message, verdict);                                           \
            }};                                                                                                 \
        return &entry;                                                                                          \
    }
