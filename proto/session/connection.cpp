#include "proto/session/connection.h"

#include <algorithm>
#include <utility>

#include "proto/limits.h"

namespace telpher::session {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kProtocolVersion = 1;
constexpr Duration kBackoffBase = 50ms;
constexpr Duration kBackoffCap = 10s;
constexpr Duration kQuickRetry = 10ms;  ///< A broker that restarts is often back before a person could notice.
constexpr Duration kStable = 1s;        ///< A connection that lasted this long was a good one.
constexpr Duration kAnswerTimeout = 10s;
constexpr Duration kSilenceMin = 10s;  ///< However short the heartbeat: a busy machine is not a dead one.
constexpr int kHeartbeatsMissed = 3;
constexpr Duration kHeartbeatMin = 100ms;
constexpr Duration kRetryAfterMax = 60s;

}  // namespace

Connection::Connection(std::string client_name, std::uint64_t seed)
    : client_name_(std::move(client_name)), random_(seed), backoff_(kBackoffBase, kBackoffCap) {}

Connection::Action Connection::tick(Instant now) {
    switch (state_) {
        case State::kIdle:
            if (now < retry_at_) return Action::kNone;
            state_ = State::kConnecting;
            give_up_at_ = now + kAnswerTimeout;
            return Action::kConnect;
        case State::kConnecting:
        case State::kGreeting:
            return now < give_up_at_ ? Action::kNone : Action::kGiveUp;
        case State::kUp:
            if (now >= silent_at()) return Action::kGiveUp;
            if (now < last_sent_ + heartbeat_) return Action::kNone;
            last_sent_ = now;
            return Action::kPing;
    }
    return Action::kNone;
}

Instant Connection::next_due() const {
    switch (state_) {
        case State::kIdle:
            return retry_at_;
        case State::kConnecting:
        case State::kGreeting:
            return give_up_at_;
        case State::kUp:
            return std::min(silent_at(), last_sent_ + heartbeat_);
    }
    return Instant::never();
}

Instant Connection::silent_at() const { return last_received_ + std::max(kHeartbeatsMissed * heartbeat_, kSilenceMin); }

v1::Hello Connection::greet(Instant now) {
    state_ = State::kGreeting;
    give_up_at_ = now + kAnswerTimeout;
    v1::Hello hello;
    hello.set_proto_min(kProtocolVersion);
    hello.set_proto_max(kProtocolVersion);
    hello.set_client_name(client_name_.substr(0, limits::kNameBytesMax));
    if (hello_.session() != 0) {
        hello.set_resume_session(hello_.session());
        hello.set_resume_token(hello_.token());
    }
    return hello;
}

Result<bool> Connection::on_hello_ok(const v1::HelloOk& hello, Instant now) {
    if (state_ != State::kGreeting) return fail(Code::kProtocol, "HELLO_OK was not asked for");
    if (hello.proto() != kProtocolVersion)
        return fail(Code::kVersion, "the broker chose a version that was not offered");
    if (hello.session() == 0) return fail(Code::kProtocol, "HELLO_OK without a session");
    const bool resumed = hello.resumed() && hello.session() == hello_.session();
    hello_ = hello;
    epoch_ = Epoch(hello.epoch());
    heartbeat_ = std::max(Duration{std::chrono::milliseconds{hello.heartbeat_ms()}}, kHeartbeatMin);
    last_received_ = now;
    last_sent_ = now;
    up_since_ = now;
    ever_up_ = true;
    state_ = State::kUp;
    return resumed;
}

void Connection::lost(Instant now, Duration retry_after) {
    const bool was_good = up() && now >= up_since_ + kStable;
    if (was_good) backoff_.reset();
    const Duration pause = was_good ? kQuickRetry : backoff_.next(random_);
    retry_at_ = now + std::max(pause, std::min(retry_after, kRetryAfterMax));
    state_ = State::kIdle;
}

void Connection::forget_session() {
    hello_.set_session(0);
    hello_.clear_token();
}

void Connection::excuse(Duration gap) { last_received_ = last_received_ + gap; }

}  // namespace telpher::session
