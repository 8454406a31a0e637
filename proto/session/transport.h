// The seam to the network: one Transport is one connection, from connect to the first trouble. Frames and news of the
// connection in order, nothing else; a new connection is a new Transport. Owned by the engine thread. zmq_transport.h
// is the real one; tests script their own.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "proto/base/slice.h"
#include "proto/limits.h"
#include "telpher/error.h"

namespace telpher::session {

/// A message from the broker. Reused for the next one: the header is overwritten, bodies may be moved out.
struct Received {
    std::string header;
    std::array<Slice, limits::kFramesMax - 1> bodies;
    std::size_t body_count = 0;
};

/// What happened to the connection itself.
struct TransportNews {
    bool up = false;  ///< The handshake of the transport is done; else the connection is over, or never came to be.
    std::string reason{};  ///< For people, when it is over.
    /// When it is over: kAuth = the other side has said that it does not let us in, or the mechanisms differ: no use to
    /// try again; kUnreachable = anything else.
    Code code = Code::kUnreachable;
    /// When it is over: it was closed in order during the handshake, without a word, where keys may be in use. That is
    /// what the wrong server key looks like; a missing key too, if the broker was quicker to close than to say what it
    /// speaks; and sometimes a broker that goes down just then.
    bool maybe_keys = false;
    /// When it is over: it was reset during the handshake. A broker without room does that, and so does, by chance of
    /// timing, one that closes it: it says nothing about keys.
    bool reset = false;
};

class Transport {
public:
    Transport() = default;
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;
    virtual ~Transport() = default;

    /// Hands over one message without blocking; false: the connection is of no more use.
    virtual bool send(std::string_view header, std::span<const Slice> bodies) = 0;
    /// The next message that is there; false: none now. kProtocol: it has too many frames.
    virtual Result<bool> receive(Received& message) = 0;
    /// The next news; nullopt: none now.
    virtual std::optional<TransportNews> news() = 0;

    // Waiting: poll both descriptors for input, after readable() said that nothing is there, and receive() after it. A
    // send or receive may use up what would have made message_fd() readable, so readable() must be the last call before
    // the poll. False: nothing was there since receive() or readable() found so; what came then makes message_fd()
    // readable.
    [[nodiscard]] virtual int message_fd() const = 0;
    [[nodiscard]] virtual int news_fd() const = 0;
    [[nodiscard]] virtual bool readable() = 0;
};

class TransportFactory {
public:
    virtual ~TransportFactory() = default;
    /// Starts to connect; success or failure is the first news. kUsage: the endpoint makes no sense.
    virtual Result<std::unique_ptr<Transport>> connect(const std::string& endpoint) = 0;
};

}  // namespace telpher::session
