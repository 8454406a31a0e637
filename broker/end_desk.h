// The end of a queue: seal, reopen, join, and telling consumers that there will be no more. Owned by the shard thread;
// lives as long as the shard.
//
// Nobody is told an end before the seal and the last settle are committed: each check passes through the commit gate.
#pragma once

#include "broker/core.h"
#include "broker/get_desk.h"
#include "broker/put_desk.h"

namespace telpher::broker {

class EndDesk {
public:
    EndDesk(Core& core, PutDesk& puts, GetDesk& gets) : core_(core), puts_(puts), gets_(gets) {}

    void seal(Session& session, const v1::Seal& request);
    void reopen(Session& session, const v1::Reopen& request);
    void join(Session& session, const v1::Join& request);
    void leave(Session& session, const v1::Leave& request);

    /// Looks whether the queue has come to an end or to rest, and tells whom it concerns once that is safe.
    void check(HostedQueue& queue);
    /// The connection ended: what it asked for is asked again on the next one.
    void connection_over(const Session& session);
    void queue_removed(HostedQueue& queue);

private:
    std::vector<HostedQueue*> queues_of(const Session& session);
    HostedQueue* queue_of(Session& session, std::uint64_t req, std::uint32_t handle);
    /// The open handle has the right; else the request is denied.
    bool allowed(const Session& session, std::uint64_t req, std::uint32_t handle, RightSet::Right right,
                 const char* op);
    void answer(const HostedQueue& queue, const Joiner& joiner);
    void tell(HostedQueue& queue);

    Core& core_;
    PutDesk& puts_;
    GetDesk& gets_;
};

}  // namespace telpher::broker
