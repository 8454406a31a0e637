// What comes in from the broker, and whom it is given to.
#include <string>

#include "proto/session/core.h"

namespace telpher::session {
namespace {

/// A broker that said GOODBYE has this long for what it still has to tell.
constexpr Duration kGoodbyeGrace = std::chrono::seconds{2};

}  // namespace

Result<void> Core::dispatch(const Received& received) {
    auto routed = decoder_.decode(received);
    if (!routed) return fail(routed.error());
    const Frame& frame = routed->frame;
    const bool hello = connection_.state() == Connection::State::kGreeting;
    if (hello && frame.op != v1::OP_HELLO_OK && frame.op != v1::OP_GOODBYE && frame.op != v1::OP_ERROR) {
        return fail(Code::kProtocol, "the first frame was not HELLO_OK");
    }
    switch (routed->route) {
        case Route::kSession:
            return on_session(frame);
        case Route::kRequest:
            if (frame.op == v1::OP_ERROR) return on_error(frame.as<v1::Error>());
            return on_answer(frame, routed->key);
        case Route::kHandle:
            return on_handle(frame, HandleId(static_cast<std::uint32_t>(routed->key)));
        case Route::kSub: {
            // Unknown: detached a moment ago.
            const auto found = subs_.find(static_cast<std::uint32_t>(routed->key));
            if (found == subs_.end()) return {};
            Part& part = *found->second;
            auto done = part.on_frame(frame, now_);
            if (part.link_ != nullptr && part.link_->released_) close_if_idle(part.link_->shared_from_this());
            return done;
        }
    }
    return {};
}

Result<void> Core::on_session(const Frame& frame) {
    switch (frame.op) {
        case v1::OP_HELLO_OK:
            return on_hello_ok(frame.as<v1::HelloOk>());
        case v1::OP_GOODBYE:
            on_goodbye(frame.as<v1::Goodbye>());
            return {};
        default:
            return {};
    }
}

Result<void> Core::on_hello_ok(const v1::HelloOk& hello) {
    const auto resumed = connection_.on_hello_ok(hello, now_);
    if (!resumed) return fail(resumed.error());
    refusal_.reset();
    cut_handshakes_ = 0;
    put_bytes_ = 0;
    put_limit_ = hello.limits().session_put_bytes();
    if (hello.limits().message_bytes() != 0) message_bytes_max_ = hello.limits().message_bytes();
    log(*resumed ? "connected, session resumed" : "connected");
    if (config_.on_connection) config_.on_connection(true);
    for (const auto& link : std::vector(links_)) open(link);
    send_calls(nullptr);
    return {};
}

/// What was committed may still be told, so the connection is kept until the broker closes it, or for a moment. After
/// our own BYE there is nothing left to tell.
void Core::on_goodbye(const v1::Goodbye& goodbye) {
    trouble_code_ = static_cast<Code>(goodbye.code());
    trouble_ = Error(trouble_code_, goodbye.detail()).message();
    retry_after_ = std::chrono::milliseconds{goodbye.retry_after_ms()};
    leave_by_ = connection_.up() && !said_bye_ ? now_ + kGoodbyeGrace : now_;
    if (!said_bye_) log("the broker leaves: " + trouble_);
}

Result<void> Core::on_answer(const Frame& frame, std::uint64_t req) {
    auto match = requests_.match(req);
    if (match.op == v1::OP_UNSPECIFIED) return {};  // Given up meanwhile.
    if (answer_of(match.op) != frame.op) return fail(Code::kProtocol, "an answer to another question");
    if (match.call != 0) {
        finish_call(match.call, &frame);
    } else {
        match.answer(&frame);
    }
    return {};
}

Result<void> Core::on_error(const v1::Error& error) {
    const auto code = static_cast<Code>(error.code());
    if (error.retry_after_ms() != 0) retry_after_ = std::chrono::milliseconds{error.retry_after_ms()};
    if (error.handle() != 0) {
        queue_gone(HandleId(error.handle()), Error(code, error.detail()));
        return {};
    }
    if (error.req() == 0) {
        // A producer that the broker has forgotten learns of it when it is opened again.
        if (connection_.up() && !info(code).fatal && code != Code::kUnknownProducer) {
            log(Error(code, error.detail()).message());
            return {};
        }
        return fail(code, error.detail());
    }
    auto match = requests_.match(error.req());
    if (match.op == v1::OP_UNSPECIFIED) return {};
    const Result<const Frame*> refused = fail(code, error.detail());
    if (match.call == 0) {
        match.answer(refused);
    } else if (code == Code::kRestarting) {
        requests_.postpone(match.call);  // The next broker will answer.
    } else if (requests_.repeated(match.call) && requests_.find(match.call)->done_before == code) {
        requests_.take(match.call).done({});
    } else {
        finish_call(match.call, refused);
    }
    return {};
}

/// The queue was removed: nobody can use it any more, though another one of that name may be made.
void Core::queue_gone(HandleId handle, const Error& error) {
    const auto found = handles_.find(handle);
    if (found == handles_.end()) return;  // closed a moment ago
    const auto link = found->second;
    close_handle(*link);
    fail_link(link, error);
}

Result<void> Core::on_handle(const Frame& frame, HandleId handle) {
    if (frame.op == v1::OP_CONFIRM) raise_put_limit(frame.as<v1::Confirm>().session_put_bytes());
    if (frame.op == v1::OP_LIMIT) raise_put_limit(frame.as<v1::Limit>().session_put_bytes());
    const auto found = handles_.find(handle);
    if (found == handles_.end()) return {};  // Of the connection alone, or closed a moment ago.
    const auto link = found->second;
    for (const auto& part : link->parts_) {
        if (!part->takes_confirms()) continue;
        if (auto done = part->on_frame(frame, now_); !done) return done;
        break;
    }
    close_if_idle(link);
    return {};
}

void Core::raise_put_limit(std::uint64_t limit) {
    if (limit <= put_limit_) return;
    const bool was_stopped = !may_put();
    put_limit_ = limit;
    if (!was_stopped || !may_put()) return;
    // Whoever wants to put may do so at the end of this cycle.
    for (const auto& link : links_) {
        for (const auto& part : link->parts_) {
            if (part->takes_confirms()) part->due_ = now_;
        }
    }
    parts_due_ = now_;
}

}  // namespace telpher::session
