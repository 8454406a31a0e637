// The connection's side of the core: transport, heartbeat, breaking off and coming back.
#include "proto/session/core.h"

#include <algorithm>
#include <utility>

#include "proto/frame.h"
#include "proto/limits.h"

namespace telpher::session {
namespace {

using namespace std::chrono_literals;

/// Longer between two cycles, and this process was stopped: what came meanwhile has not been read yet.
constexpr Duration kPause = 1s;

/// Handshakes cut short so often and for so long without any success are no accident, nor a broker that is being
/// restarted or is crowded.
constexpr int kCutHandshakesMax = 3;
constexpr Duration kCutHandshakesFor = 1s;

}  // namespace

Core::Core(Config config, std::unique_ptr<TransportFactory> transports)
    : config_(std::move(config)),
      transports_(std::move(transports)),
      connection_(config_.client_name, config_.seed),
      trouble_("no attempt yet"),
      message_bytes_max_(limits::kMessageBytesDefault) {}

bool Core::do_work(Instant now, Arrived arrived) {
    note_pause(now);
    bool worked = false;
    if (transport_ != nullptr && arrived.news) worked = take_news();
    if (transport_ != nullptr && arrived.frames && !broken_) worked = take_frames() || worked;
    if (!broken_) tick();
    if (now_ >= calls_due_) expire_calls();
    if (now_ >= parts_due_) run_due_parts();
    if (broken_) {
        drop();
        worked = true;
    }
    return worked;
}

Instant Core::next_due() const {
    if (broken_) return Instant{};
    return std::min({connection_.next_due(), calls_due_, parts_due_, links_due_, leave_by_});
}

void Core::note_pause(Instant now) {
    const Duration gap = now - now_;
    if (connection_.up() && gap > kPause && now_ >= std::min(connection_.next_due(), parts_due_))
        connection_.excuse(gap);
    now_ = now;
}

bool Core::take_news() {
    bool worked = false;
    while (auto news = transport_->news()) {
        worked = true;
        if (!news->up) {
            note_handshake(*news);
            break_off(std::move(news->reason));
            return true;
        }
        if (connection_.state() == Connection::State::kConnecting) {
            transmit(frame::encode(v1::OP_HELLO, connection_.greet(now_)), {});
        }
    }
    return worked;
}

bool Core::take_frames() {
    std::size_t bytes = 0;
    for (std::size_t frames = 0; frames < limits::kCycleFramesMax && bytes < limits::kCycleBytesMax; ++frames) {
        const auto received = transport_->receive(received_);
        if (!received) {
            break_off(received.error().message());
            return true;
        }
        if (!*received) return frames > 0;
        connection_.received(now_);
        for (std::size_t i = 0; i < received_.body_count; ++i) bytes += received_.bodies[i].size();
        if (const auto done = dispatch(received_); !done) {
            trouble_code_ = done.error().code();
            break_off(done.error().message());
        }
        if (broken_) return true;
    }
    return true;
}

/// Nothing tells the wrong server key from a broker that has no time; so it takes a few to say so.
void Core::note_handshake(const TransportNews& news) {
    if (connection_.state() == Connection::State::kConnecting) trouble_code_ = news.code;
    if (news.reset) return;
    if (!news.maybe_keys || connection_.ever_up()) {
        cut_handshakes_ = 0;
        return;
    }
    if (cut_handshakes_++ == 0) cut_since_ = now_;
    if (cut_handshakes_ >= kCutHandshakesMax && now_ - cut_since_ >= kCutHandshakesFor) trouble_code_ = Code::kAuth;
}

void Core::tick() {
    if (now_ >= leave_by_) {
        break_off(trouble_);
        return;
    }
    switch (connection_.tick(now_)) {
        case Connection::Action::kNone:
            break;
        case Connection::Action::kConnect:
            connect();
            break;
        case Connection::Action::kGiveUp:
            break_off(connection_.up() ? "the broker is silent" : "no answer in time");
            break;
        case Connection::Action::kPing: {
            v1::Ping ping;
            ping.set_epoch(epoch().value());
            ping.set_stamp(static_cast<std::uint64_t>(now_.ns));
            transmit(frame::encode(v1::OP_PING, ping), {});
            break;
        }
    }
    if (now_ < links_due_ || !connection_.up()) return;
    links_due_ = Instant::never();
    for (const auto& link : std::vector(links_)) {
        if (link->state_ != QueueLink::State::kClosed) continue;
        if (now_ >= link->retry_at_) {
            open(link);
        } else {
            links_due_ = std::min(links_due_, link->retry_at_);
        }
    }
}

void Core::connect() {
    trouble_code_ = Code::kUnreachable;
    auto transport = transports_->connect(config_.endpoint);
    if (transport) {
        transport_ = std::move(*transport);
        take_news();  // Only what was looked for in vain wakes a sleeper.
    } else {
        break_off(transport.error().message());
    }
}

void Core::send(v1::Op op, const google::protobuf::MessageLite& header, std::span<const Slice> bodies) {
    if (!connection_.up()) return;
    if (op == v1::OP_PUT) {
        for (const Slice& body : bodies) put_bytes_ += body.size();
    }
    transmit(frame::encode(op, header), bodies);
}

void Core::transmit(std::string_view header, std::span<const Slice> bodies) {
    if (broken_ || transport_ == nullptr) return;
    if (!transport_->send(header, bodies)) break_off("cannot send");
    connection_.sent(now_);
}

/// From here on nothing is sent or received; the parts hear of it at the end of the cycle, not from within a callback.
void Core::break_off(std::string reason) {
    if (broken_) return;
    broken_ = true;
    trouble_ = std::move(reason);
}

void Core::drop() {
    const bool was_up = connection_.up();
    if (!said_bye_ && (was_up || trouble_code_ != Code::kUnreachable))
        log((was_up ? "lost: " : "refused: ") + trouble_);
    if (was_up && config_.on_connection) config_.on_connection(false);
    broken_ = false;
    transport_.reset();
    handles_.clear();
    subs_.clear();
    requests_.disconnected();
    links_due_ = Instant::never();
    leave_by_ = Instant::never();
    connection_.lost(now_, std::exchange(retry_after_, Duration{0}));
    refusal_.reset();
    if (hopeless()) {
        refusal_ = Error(trouble_code_, config_.endpoint + ": " + trouble_);
        for (const auto id : requests_.all()) give_up(id, *refusal_);  // Time will not mend it.
        for (const auto& link : std::vector(links_)) fail_link(link, *refusal_);
    }
    for (const auto& link : std::vector(links_)) {
        const bool open = link->open();
        if (link->state_ != QueueLink::State::kFailed) link->state_ = QueueLink::State::kClosed;
        if (!open) continue;
        for (const auto& part : std::vector(link->parts_)) part->on_disconnected(now_);
        close_if_idle(link);
    }
}

/// Somebody has to change something before the broker lets us in.
bool Core::hopeless() const {
    return trouble_code_ == Code::kAuth || (trouble_code_ == Code::kVersion && !connection_.ever_up());
}

bool Core::say_bye() {
    if (!connection_.up()) return false;
    v1::Bye bye;
    bye.set_epoch(epoch().value());
    transmit(frame::encode(v1::OP_BYE, bye), {});
    connection_.forget_session();
    said_bye_ = true;
    return true;
}

void Core::shut(const Error& error) {
    if (connection_.up()) drop();
    transport_.reset();
    for (const auto& link : std::vector(links_)) fail_link(link, error);
    for (const auto id : requests_.all()) give_up(id, error);
}

void Core::log(const std::string& line) const {
    if (config_.log) config_.log(config_.endpoint + ": " + line);
}

}  // namespace telpher::session
