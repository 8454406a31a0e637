// The transport seam: how frames come from and go to peers. Router is the ZeroMQ one; the simulation has its own.
// Owned and called by the shard's thread only.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "proto/base/ids.h"
#include "proto/base/slice.h"

namespace telpher::broker {

/// A connection. Never reused within one run of the daemon; never shown to anybody.
using PeerId = Id<struct PeerTag>;

/// One message of a peer: the header frame and what followed it.
struct Incoming {
    PeerId peer;
    Slice header;
    std::array<Slice, 2> bodies;
    std::size_t body_count = 0;
};

enum class Sent : std::uint8_t {
    kSent,
    kGone,  ///< The peer is not connected any more.
    kFull,  ///< The peer does not read what it has credit for.
};

struct TransportFigures {
    std::uint64_t bytes_in = 0, bytes_out = 0;  ///< Of messages, with their framing.
    std::uint64_t refused = 0;                  ///< Messages that broke the framing.
};

class Transport {
public:
    virtual ~Transport() = default;
    /// The next message; false: none now. Messages that break the framing never show: their peer is kicked.
    virtual bool receive(Incoming& into) = 0;
    /// Sends a header and its bodies as one message; never blocks.
    virtual Sent send(PeerId peer, std::string_view header, std::span<const Slice> bodies) = 0;
    /// Who the peer is: the name of a user, "uid:N" on ipc without keys, empty if nothing is known. Nothing a peer says
    /// of itself.
    [[nodiscard]] virtual std::string user(PeerId peer) const = 0;
    /// The peer has said a good HELLO: it is no stranger any more.
    virtual void welcome(PeerId peer) = 0;
    /// Closes the peer's connection after what was sent so far had a chance to leave.
    virtual void kick(PeerId peer) = 0;
    /// A peer whose connection ended since the last call; false: none.
    virtual bool next_gone(PeerId& peer) = 0;
    /// True if the peer has not read much of what was sent to it: what is large should wait.
    [[nodiscard]] virtual bool congested(PeerId peer) const = 0;
    /// Connections now, and peers kicked since the start.
    [[nodiscard]] virtual std::size_t connections() const = 0;
    [[nodiscard]] virtual std::uint64_t kicked() const = 0;
    /// What went through since the start.
    [[nodiscard]] virtual TransportFigures figures() const { return {}; }
};

}  // namespace telpher::broker
