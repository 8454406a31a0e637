// What the parts of a shard share: references to its state and the two ways out (a frame to a session, an error). Owned
// by the shard thread; lives as long as the shard.
#pragma once

#include <google/protobuf/message_lite.h>

#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "broker/batch_store.h"
#include "broker/catalog.h"
#include "broker/commit_gate.h"
#include "broker/journal.h"
#include "broker/refusals.h"
#include "broker/sessions.h"
#include "broker/settings.h"
#include "broker/transport.h"
#include "broker/users.h"
#include "proto/base/clock.h"
#include "telpher/error.h"

namespace telpher::broker {

struct Core {
    const ShardSettings& settings;
    Transport& transport;
    log::Log& log;
    Journal& journal;
    Sessions& sessions;
    Catalog& catalog;
    BatchStore& store;
    CommitGate& gate;

    // The cycle's time, read once.
    Instant now;
    WallTime wall;
    bool disk_full = false;
    std::uint64_t disk_room = 0;  ///< What the log could grow by at the last look; 0: not known.
    bool draining = false;
    std::uint64_t settled_bytes = 0;     ///< Of messages that left the log's segments, since the start; moved ones too.
    std::shared_ptr<const Users> users;  ///< Who may come in and do what, now.

    /// Frames refused because they break the protocol, since the start.
    std::map<Code, std::uint64_t> protocol_errors;
    Refusals* refusals = nullptr;  ///< May be nullptr.

    // Connections found dead while sending; the shard lets go of them at the end of the step.
    std::vector<PeerId> dead;

    /// Sends to a peer. A peer that is gone or does not read is put on the list of the dead.
    void send(PeerId peer, v1::Op op, const google::protobuf::MessageLite& message, std::span<const Slice> bodies = {});
    /// Sends to a session, if it is connected.
    void send(const Session& session, v1::Op op, const google::protobuf::MessageLite& message,
              std::span<const Slice> bodies = {});
    /// ERROR for request `req` (0: none); a fatal code also kicks the peer.
    void refuse(PeerId peer, std::uint64_t req, const Error& error);
    /// ERROR E_DENIED for request `req`: the user lacks what `op` needs there.
    void deny(const Session& session, std::uint64_t req, std::string_view op, std::string_view queue);
    /// ERROR: the queue of this handle is gone.
    void refuse_handle(PeerId peer, HandleId handle, const Error& error);
    void ok(const Session& session, std::uint64_t req);
    /// Answers `req` with OK once everything logged so far is committed (if the connection is still the same).
    void ok_when_committed(const Session& session, std::uint64_t req);
    /// Sends `message` once everything logged so far is as safe as `durability` asks (if the connection is still the
    /// same).
    template <class Message>
    void send_when_committed(const Session& session, v1::Op op, Message message,
                             queue::Durability durability = queue::Durability::kFsync) {
        gate.add(durability, journal.last(),
                 [this, op, message = std::move(message), id = session.id, peer = session.peer] {
                     const Session* still = sessions.find(id);
                     if (still != nullptr && still->peer == peer) send(*still, op, message);
                 });
    }
    /// Everything logged up to here is as safe as `durability` asks.
    [[nodiscard]] Lsn safe_upto(queue::Durability durability) const;
    /// Live messages that went away are told to the log, empty batches dropped.
    void account(HostedQueue& queue);
    /// Wall time of an instant: for due times that outlive the process.
    [[nodiscard]] std::uint64_t wall_ms(Instant at) const;
    /// When something of that wall time was, by our clock: not in the future, and no more than ten years ago.
    [[nodiscard]] Instant instant_of(WallTime at) const;
};

}  // namespace telpher::broker
