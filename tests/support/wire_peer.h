// A client written on the raw peer and the codecs alone: it speaks Telpher's protocol as docs/protocol describes it,
// and breaks it where a test wants. One connection; used by one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/ids.h"
#include "proto/frame.h"
#include "tests/support/zmtp_peer.h"

namespace telpher::test {

class WirePeer {
public:
    /// Connects and does the ZMTP handshake. Throws std::runtime_error if that fails.
    explicit WirePeer(const std::string& endpoint,
                      const ZmtpPeer::Properties& properties = {{"Socket-Type", "DEALER"}});
    [[nodiscard]] ZmtpPeer& zmtp() { return zmtp_; }

    /// A message as it came: the op of its header and all frames.
    struct Message {
        v1::Op op = v1::OP_UNSPECIFIED;
        std::vector<std::string> frames;
        /// The header's protobuf; throws std::runtime_error if it is malformed.
        template <class Header>
        [[nodiscard]] Header as() const {
            Header header;
            parse(header);
            return header;
        }

    private:
        void parse(google::protobuf::MessageLite& header) const;
    };

    bool send(v1::Op op, const google::protobuf::MessageLite& header, std::string_view body = {});
    std::optional<Message> receive(Duration limit = 5s);
    /// The next message with this op; what comes before it is dropped, but an ERROR is a throw unless it is what is
    /// waited for.
    Message await(v1::Op op, Duration limit = 10s);
    template <class Header>
    Header await(v1::Op op, Duration limit = 10s) {
        return await(op, limit).as<Header>();
    }

    // --- the usual exchanges; each throws std::runtime_error if it is refused ---
    v1::HelloOk hello();
    /// The same, going on with `session`.
    v1::HelloOk resume(const v1::HelloOk& session);
    /// Opens (and makes) a queue; its handle.
    std::uint32_t open(std::string_view queue, const v1::QueueOptions& options = {});
    std::uint64_t open_producer(std::uint32_t handle);
    /// Sends a batch of `count` payloads of `bytes` each.
    bool put(std::uint32_t handle, std::uint64_t producer, std::uint64_t first, std::uint32_t count,
             std::size_t bytes = 16);
    [[nodiscard]] std::uint32_t epoch() const { return epoch_; }

    /// The bytes of such a batch.
    static std::string batch(std::uint64_t producer, std::uint64_t first, std::uint32_t count, std::size_t bytes = 16);

private:
    ZmtpPeer zmtp_;
    std::uint32_t epoch_ = 0;
    std::uint64_t requests_ = 0;
};

}  // namespace telpher::test
