#include "tests/sim/sim_transport.h"

#include <algorithm>

#include "proto/base/check.h"

namespace telpher::sim {

using broker::Incoming;
using broker::Sent;

PeerId SimTransport::connect(std::string user) {
    const PeerId peer = next_;
    next_ += 1;
    peers_[peer].user = std::move(user);
    return peer;
}

std::string SimTransport::user(PeerId peer) const {
    const auto found = peers_.find(peer);
    return found == peers_.end() ? std::string() : found->second.user;
}

void SimTransport::to_broker(PeerId peer, v1::Op op, const google::protobuf::MessageLite& message, const Slice& body) {
    to_broker(peer, frame::encode(op, message), body.empty() ? std::vector<Slice>() : std::vector<Slice>{body});
}

void SimTransport::to_broker(PeerId peer, std::string header, const std::vector<Slice>& bodies) {
    const auto found = peers_.find(peer);
    if (found == peers_.end() || found->second.kicked) return;
    Incoming incoming;
    incoming.peer = peer;
    incoming.header = Slice::own(std::move(header));
    TELPHER_CHECK(bodies.size() <= incoming.bodies.size());
    std::copy(bodies.begin(), bodies.end(), incoming.bodies.begin());
    incoming.body_count = bodies.size();
    found->second.up.push_back(std::move(incoming));
}

std::optional<Frame> SimTransport::from_broker(PeerId peer) {
    const auto found = peers_.find(peer);
    if (found == peers_.end() || found->second.stalled) return std::nullopt;
    std::deque<Frame>& down = found->second.down;
    std::optional<Frame> frame;
    if (!down.empty()) {
        frame = std::move(down.front());
        down.pop_front();
    }
    if (down.empty() && found->second.kicked) peers_.erase(found);
    return frame;
}

void SimTransport::lose(PeerId peer) {
    const auto found = peers_.find(peer);
    if (found == peers_.end()) return;
    if (!found->second.kicked) gone_.push_back(peer);
    peers_.erase(found);
}

void SimTransport::stall(PeerId peer) {
    if (const auto found = peers_.find(peer); found != peers_.end()) found->second.stalled = true;
}

void SimTransport::resume_all() {
    for (auto& [peer, connection] : peers_) connection.stalled = false;
}

void SimTransport::broker_gone() {
    peers_.clear();
    gone_.clear();
}

bool SimTransport::receive(Incoming& into) {
    std::vector<Connection*> waiting;
    for (auto& [peer, connection] : peers_) {
        if (!connection.up.empty() && !connection.stalled) waiting.push_back(&connection);
    }
    if (waiting.empty()) return false;
    Connection& chosen = *waiting[random_.below(waiting.size())];
    into = std::move(chosen.up.front());
    chosen.up.pop_front();
    return true;
}

Sent SimTransport::send(PeerId peer, std::string_view header, std::span<const Slice> bodies) {
    const auto found = peers_.find(peer);
    if (found == peers_.end() || found->second.kicked) return Sent::kGone;
    if (found->second.down.size() >= high_water_) return Sent::kFull;
    Frame frame{frame::op_of(as_bytes(header)), std::string(header), {bodies.begin(), bodies.end()}};
    if (tap_) tap_(peer, frame);
    found->second.down.push_back(std::move(frame));
    return Sent::kSent;
}

void SimTransport::kick(PeerId peer) {
    const auto found = peers_.find(peer);
    if (found == peers_.end() || found->second.kicked) return;
    ++kicked_;
    gone_.push_back(peer);
    found->second.kicked = true;
    found->second.up.clear();
    if (found->second.down.empty()) peers_.erase(found);
}

bool SimTransport::next_gone(PeerId& peer) {
    if (gone_.empty()) return false;
    peer = gone_.front();
    gone_.pop_front();
    return true;
}

std::size_t SimTransport::connections() const {
    return static_cast<std::size_t>(
        std::count_if(peers_.begin(), peers_.end(), [](const auto& entry) { return !entry.second.kicked; }));
}

}  // namespace telpher::sim
