#include "tests/sim/sim_watcher.h"

#include <utility>

namespace telpher::sim {

void SimWatcher::opened() {
    seal_sent_ = false;
    reopen_sent_ = false;
    show_sent_ = false;
    redrive_sent_ = false;
    world_.oracle.redrive_over(queue_);
}

void SimWatcher::take(const Frame& frame) {
    if (frame.op == v1::OP_QUEUES) {
        const auto queues = frame.as<v1::Queues>();
        state_ = queues.queues(0);
        world_.oracle.state(queue_, state_);
        fresh_ = fresh_ || asked_again_;
        show_sent_ = false;
    } else if (frame.op == v1::OP_DEAD_HANDLED) {
        redrive_sent_ = false;
        world_.oracle.redrive_over(queue_);
        world_.marks.hit_if(frame.as<v1::DeadHandled>().messages() > 0, Sometimes::kRedriven);
    } else if (frame.op == v1::OP_OK) {
        if (reopen_sent_ && frame.as<v1::Ok>().req() == reopen_req_) return reopened();
        if (frame.as<v1::Ok>().req() != seal_req_) return;
        v1::Join join;
        join_req_ = request();
        join.set_req(join_req_);
        join.set_handle(handle_);
        join.set_sealed(true);
        send(v1::OP_JOIN, join);
    } else if (frame.op == v1::OP_JOINED) {
        const auto joined = frame.as<v1::Joined>();
        if (joined.req() != join_req_) return;
        world_.oracle.joined(queue_);
        joined_ = true;
        joined_generation_ = joined.state().generation();
        want_reopen_ = !world_.healing && chance(80);
        world_.marks.hit(Sometimes::kJoined);
    } else if (frame.op == v1::OP_ERROR && reopen_sent_ && frame.as<v1::Error>().req() == reopen_req_) {
        reopened();  // by the one that had no answer
    } else {
        unexpected(frame);
    }
}

void SimWatcher::reopened() {
    reopen_sent_ = want_reopen_ = false;
    seal_sent_ = joined_ = false;
    want_seal_ = std::exchange(seal_again_, false);
    world_.marks.hit(Sometimes::kReopened);
}

void SimWatcher::reopen() {
    reopen_sent_ = true;
    world_.oracle.reopen_asked(queue_, joined_generation_);
    v1::Reopen message;
    reopen_req_ = request();
    message.set_req(reopen_req_);
    message.set_handle(handle_);
    send(v1::OP_REOPEN, message);
}

void SimWatcher::act() {
    if (want_reopen_ && !reopen_sent_) reopen();
    if (want_seal_ && !seal_sent_ && !want_reopen_) {
        seal_sent_ = true;
        world_.oracle.seal_asked(queue_);
        v1::Seal seal;
        seal_req_ = request();
        seal.set_req(seal_req_);
        seal.set_handle(handle_);
        send(v1::OP_SEAL, seal);
    }
    if (state_.dead() > 0 && !redrive_sent_ && (world_.healing || chance(5))) redrive();
    if (show_sent_ || !(world_.healing || chance(10))) return;
    show_sent_ = asked_again_ = true;
    v1::Show show;
    show.set_req(request());
    show.set_name(spec_.name);
    send(v1::OP_SHOW, show);
}

void SimWatcher::redrive() {
    redrive_sent_ = true;
    world_.oracle.redrive_asked(queue_);
    v1::HandleDead message;
    message.set_req(request());
    message.set_what(v1::HandleDead::WHAT_REDRIVE);
    message.set_name(spec_.name);
    message.set_count(UINT64_MAX);
    message.set_max(static_cast<std::uint32_t>(world_.random.below(4)));
    send(v1::OP_HANDLE_DEAD, message);
}

}  // namespace telpher::sim
