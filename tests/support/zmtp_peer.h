// A peer that speaks ZMTP 3.x (RFC 23/37) over tcp or ipc, written on bare sockets: what no ZeroMQ library would send,
// this can. One connection; used by one thread; closed with the object. Nothing blocks longer than the limit it is
// given.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/deadline.h"

namespace telpher::test {

class ZmtpPeer {
public:
    using Properties = std::vector<std::pair<std::string, std::string>>;
    struct Frame {
        std::string body;
        bool more = false;
        bool command = false;
    };

    /// Connects to "tcp://127.0.0.1:PORT" or "ipc:///path"; sends nothing yet. Throws std::runtime_error if it cannot.
    explicit ZmtpPeer(const std::string& endpoint, Duration limit = 5s);
    ZmtpPeer(ZmtpPeer&& other) noexcept;
    ZmtpPeer& operator=(ZmtpPeer&& other) noexcept;
    ~ZmtpPeer();

    // --- bytes ---
    /// Sends all of `bytes`; false if the other side closed, or takes nothing more before `limit` is over.
    bool send_raw(std::string_view bytes, Duration limit = 5s);
    /// Exactly `count` bytes; nothing if the other side closed or `limit` is over first.
    std::optional<std::string> receive_raw(std::size_t count, Duration limit = 5s);

    // --- the protocol ---
    /// The whole handshake of a NULL client with these READY properties; false if the other side closed or was silent.
    bool handshake(const Properties& properties = {{"Socket-Type", "DEALER"}}, Duration limit = 5s);
    /// A message of one frame or several.
    bool send(const std::vector<std::string_view>& frames, Duration limit = 5s);
    bool ping(std::string_view context = {}, std::uint16_t ttl_ds = 0);
    /// The next frame, commands included.
    std::optional<Frame> receive_frame(Duration limit = 5s);
    /// The next whole message, without commands.
    std::optional<std::vector<std::string>> receive(Duration limit = 5s);

    /// Frames of one message that never ends, at `bytes_per_second`, until the other side closes or `limit` is over.
    struct Flood {
        std::uint64_t bytes = 0;
        Duration time{};
        bool closed = false;  ///< By the other side.
    };
    Flood endless_message(std::size_t frame_bytes, std::uint64_t bytes_per_second, Duration limit);

    // --- the end ---
    /// True as soon as the other side has closed; what it sends meanwhile is dropped.
    bool wait_closed(Duration limit);
    /// Closes in the normal way, or so that the other side sees a reset (tcp; on ipc there is no such thing).
    void close();
    void reset();
    [[nodiscard]] int descriptor() const { return fd_; }

    // --- encodings ---
    static std::string greeting(std::uint8_t minor = 1);
    /// A ZMTP 2.0 greeting of a DEALER with this identity.
    static std::string greeting_v2(std::string_view identity = {});
    static std::string frame(std::string_view body, bool more = false, bool command = false);
    static std::string ready(const Properties& properties);

private:
    bool fill(const Deadline& deadline);

    int fd_ = -1;
    bool eof_ = false;
    std::string received_;
    std::size_t taken_ = 0;  ///< Bytes of received_ that were handed out.
};

}  // namespace telpher::test
