#include "tests/sim/sim_client.h"

namespace telpher::sim {

void SimClient::step() {
    if (!world_.broker.running()) return;
    SimTransport& transport = world_.broker.transport();
    if (peer_ && !transport.open(*peer_)) {
        peer_.reset();
        up_ = false;
    }
    if (!peer_) {
        if (world_.healing || chance(40)) connect();
        return;
    }
    for (std::uint64_t left = world_.healing ? 8 : world_.random.below(4); left > 0 && peer_; --left) {
        const auto frame = transport.from_broker(*peer_);
        if (!frame) break;
        read(*frame);
    }
    if (!peer_ || !up_) return;
    act();
    if (world_.broker.clock().now() - heard_ >= limits::kHeartbeat) send(v1::OP_PING, v1::Ping());
}

void SimClient::connect() {
    peer_ = world_.broker.transport().connect();
    v1::Hello hello;
    hello.set_proto_min(1);
    hello.set_proto_max(1);
    hello.set_resume_session(session_);
    hello.set_resume_token(token_);
    send(v1::OP_HELLO, hello);
}

void SimClient::read(const Frame& frame) {
    if (frame.op == v1::OP_HELLO_OK) {
        const auto ok = frame.as<v1::HelloOk>();
        if (session_ != 0) world_.marks.hit(ok.resumed() ? Sometimes::kResumed : Sometimes::kSessionOver);
        session_is_new_ = session_is_new_ || !ok.resumed();
        session_ = ok.session();
        token_ = ok.token();
        epoch_ = ok.epoch();
        v1::Open open;
        open.set_req(request());
        open.set_name(spec_.name);
        open.set_create(true);
        open.mutable_options()->set_maxsize(spec_.maxsize);
        open.mutable_options()->set_on_full(static_cast<std::uint32_t>(spec_.on_full));
        open.mutable_options()->set_durability(static_cast<std::uint32_t>(spec_.durability));
        open.mutable_options()->set_lease_ms(spec_.lease_ms);
        open.mutable_options()->set_max_attempts(spec_.max_attempts);
        open.mutable_options()->set_backoff_ms(100);
        open.mutable_options()->set_backoff_max_ms(5000);  // within what a run heals in
        send(v1::OP_OPEN, open);
    } else if (frame.op == v1::OP_OPENED) {
        handle_ = frame.as<v1::Opened>().handle();
        up_ = true;
        opened();
    } else if (frame.op == v1::OP_GOODBYE) {
        lose();
    } else if (frame.op != v1::OP_PONG) {
        take(frame);
    }
}

void SimClient::unexpected(const Frame& frame) {
    std::string what = v1::Op_Name(frame.op);
    if (frame.op == v1::OP_ERROR) {
        const auto error = frame.as<v1::Error>();
        what += " " + std::string(info(static_cast<Code>(error.code())).name) + " " + error.detail();
    }
    world_.oracle.violation("unexpected", what + " for a client of " + spec_.name);
}

void SimClient::lose() {
    if (peer_ && world_.broker.transport().connected(*peer_)) losing();
    if (peer_) world_.broker.transport().lose(*peer_);
    peer_.reset();
    up_ = false;
}

void SimClient::die() {
    lose();
    session_ = 0;
    token_.clear();
    forget();
}

}  // namespace telpher::sim
