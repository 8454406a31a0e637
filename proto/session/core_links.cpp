// The open queues, their parts, and the calls of user threads.
#include <algorithm>
#include <utility>

#include "proto/frame.h"
#include "proto/session/core.h"

namespace telpher::session {
namespace {

using namespace std::chrono_literals;

/// A queue that cannot be opened again right now is tried again after this.
constexpr Duration kReopenPause = 500ms;

}  // namespace

// --- queues ---

void Core::opened(const std::shared_ptr<QueueLink>& link, const v1::Opened& opened) {
    if (std::find(links_.begin(), links_.end(), link) == links_.end()) links_.push_back(link);
    const std::uint64_t boot = connection_.hello().boot_id();
    const bool restarted = link->boot_ && *link->boot_ != boot;
    link->boot_ = boot;
    link->opened_ = opened;
    link->state_ = QueueLink::State::kOpen;
    handles_[link->handle()] = link;
    for (const auto& part : std::vector(link->parts_)) connect_part(*link, *part, restarted);
    send_calls(link.get());
    close_if_idle(link);
}

/// On a new connection: by name alone, because its options may have been changed since it was made.
void Core::open(const std::shared_ptr<QueueLink>& link) {
    if (link->state_ != QueueLink::State::kClosed) return;
    link->state_ = QueueLink::State::kOpening;
    v1::Open request;
    request.set_epoch(epoch().value());
    request.set_name(link->name());
    request.set_req(
        expect(v1::OP_OPEN, [this, link](const Result<const Frame*>& answer) { on_reopened(link, answer); }));
    send(v1::OP_OPEN, request, {});
}

void Core::on_reopened(const std::shared_ptr<QueueLink>& link, const Result<const Frame*>& answer) {
    if (answer) {
        opened(link, (*answer)->as<v1::Opened>());
    } else if (info(answer.error().code()).retryable) {
        link->state_ = QueueLink::State::kClosed;
        link->retry_at_ = now_ + std::max(std::exchange(retry_after_, Duration{0}), kReopenPause);
        links_due_ = std::min(links_due_, link->retry_at_);
    } else {
        fail_link(link, answer.error());
    }
}

void Core::connect_part(QueueLink& link, Part& part, bool restarted) {
    part.on_connected(link, {link.opened_, restarted}, now_);
    part.due_ = now_;
    parts_due_ = now_;
}

void Core::fail_link(const std::shared_ptr<QueueLink>& link, const Error& error) {
    link->state_ = QueueLink::State::kFailed;
    link->failure_ = error;
    std::erase(links_, link);
    for (const auto& part : std::exchange(link->parts_, {})) {
        std::erase_if(subs_, [&part](const auto& entry) { return entry.second == part.get(); });
        part->link_ = nullptr;
        part->on_failed(error);
    }
    for (const auto id : requests_.all(link.get())) give_up(id, error);
}

void Core::release(const std::shared_ptr<QueueLink>& link) {
    link->released_ = true;
    for (const auto& part : std::vector(link->parts_))
        work(*part, now_);  // From now on its due time tells when it is idle.
    close_if_idle(link);
}

void Core::close_if_idle(const std::shared_ptr<QueueLink>& link) {
    if (!link->released_ || link->state_ == QueueLink::State::kFailed) return;
    for (const auto& part : link->parts_) {
        if (!part->idle()) return;
    }
    if (link->open()) {
        for (const auto& part : link->parts_) part->on_close();
        close_handle(*link);
    }
    fail_link(link, Error(Code::kStopped, "the queue was closed"));
}

void Core::close_handle(const QueueLink& link) {
    v1::Close request;
    request.set_epoch(epoch().value());
    request.set_handle(link.handle().value());
    send(v1::OP_CLOSE, request, {});
    handles_.erase(link.handle());
}

// --- parts ---

void Core::add(const std::shared_ptr<QueueLink>& link, const std::shared_ptr<Part>& part) {
    if (link->failure_) {
        part->on_failed(*link->failure_);
        return;
    }
    part->link_ = link.get();
    link->parts_.push_back(part);
    if (link->open()) connect_part(*link, *part, false);
}

void Core::remove(Part& part) {
    QueueLink* link = std::exchange(part.link_, nullptr);
    if (link == nullptr) return;
    std::erase_if(subs_, [&part](const auto& entry) { return entry.second == &part; });
    std::erase_if(link->parts_, [&part](const auto& other) { return other.get() == &part; });
    if (link->open()) part.on_disconnected(now_);
}

std::vector<std::shared_ptr<Part>> Core::parts() const {
    std::vector<std::shared_ptr<Part>> parts;
    for (const auto& link : links_) parts.insert(parts.end(), link->parts_.begin(), link->parts_.end());
    return parts;
}

void Core::work(Part& part, Instant now) {
    now_ = std::max(now_, now);
    if (part.link_ == nullptr) return;
    part.due_ = part.do_work(now_);
    parts_due_ = std::min(parts_due_, part.due_);
    if (part.link_->released_) close_if_idle(part.link_->shared_from_this());
}

void Core::run_due_parts() {
    parts_due_ = Instant::never();
    for (const auto& part : parts()) {
        if (part->due_ <= now_) {
            work(*part, now_);
        } else {
            parts_due_ = std::min(parts_due_, part->due_);
        }
    }
}

// --- calls of user threads ---

Requests::CallId Core::request(PendingRequest request) {
    if (request.link != nullptr && request.link->failure_) {
        request.done(fail(*request.link->failure_));
        return 0;
    }
    if (refusal_) {
        request.done(fail(*refusal_));
        return 0;
    }
    const QueueLink* link = request.link.get();
    if (connection_.ever_up()) request.reach_by = Instant::never();
    calls_due_ = std::min({calls_due_, request.deadline, request.reach_by});
    const auto id = requests_.add(std::move(request));
    send_calls(link);
    return id;
}

void Core::send_calls(const QueueLink* link) {
    if (!connection_.up() || (link != nullptr && !link->open())) return;
    for (const auto id : requests_.waiting(link)) {
        const auto req = requests_.send(id);
        transmit(requests_.find(id)->encode(req, epoch(), link == nullptr ? HandleId{} : link->handle()), {});
    }
}

void Core::finish_call(Requests::CallId id, const Result<const Frame*>& answer) {
    const auto call = requests_.take(id);
    if (!answer) {
        call.done(fail(answer.error()));
        return;
    }
    call.answer(**answer);
    call.done({});
}

void Core::give_up(Requests::CallId id, const Error& error) {
    if (requests_.find(id) == nullptr) return;
    const auto req = requests_.sent_as(id);
    const auto call = requests_.take(id);
    if (call.leave && req != 0 && connection_.up()) {
        v1::Leave leave;
        leave.set_epoch(epoch().value());
        leave.set_req(req);
        send(v1::OP_LEAVE, leave, {});
    }
    call.done(fail(error));
}

void Core::expire_calls() {
    calls_due_ = Instant::never();
    for (const auto id : requests_.all()) {
        const PendingRequest& call = *requests_.find(id);
        if (connection_.ever_up()) {
            if (now_ >= call.deadline) {
                give_up(id, Error(Code::kTimeout, connection_.up() ? "no answer in time" : unreachable().detail()));
                continue;
            }
            calls_due_ = std::min(calls_due_, call.deadline);
        } else {
            const Instant end = std::min(call.deadline, call.reach_by);
            if (now_ >= end) {
                give_up(id, unreachable());
                continue;
            }
            calls_due_ = std::min(calls_due_, end);
        }
    }
}

Error Core::unreachable() const {
    return refusal_ ? *refusal_ : Error(Code::kUnreachable, config_.endpoint + ": " + trouble_);
}

}  // namespace telpher::session
