// Opens, makes, changes, removes and shows queues. Owned by the shard thread; lives as long as the shard.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/core.h"
#include "broker/end_desk.h"
#include "broker/get_desk.h"
#include "broker/put_desk.h"

namespace telpher::broker {

class QueueDesk {
public:
    QueueDesk(Core& core, PutDesk& puts, GetDesk& gets, EndDesk& ends)
        : core_(core), puts_(puts), gets_(gets), ends_(ends) {}

    void open(Session& session, const v1::Open& request);
    void close(Session& session, const v1::Close& request);
    void change(Session& session, const v1::Change& request);
    void list(Session& session, const v1::List& request);
    void show(Session& session, const v1::Show& request);
    void peek(Session& session, const v1::Peek& request);
    void handle_dead(Session& session, const v1::HandleDead& request);
    void leave(Session& session, const v1::Leave& request);
    void connection_over(const Session& session);
    /// Bodies came back from the log: peeks that wait for them go on.
    void retry_peeks();

private:
    struct WaitingOpen {
        SessionId session;
        std::uint64_t req = 0;
    };
    struct WaitingPeek {
        SessionId session;
        v1::Peek request;
    };

    Result<HostedQueue*> create(const Session& session, const std::string& name, const v1::QueueOptions& options);
    Result<void> within_quota(const std::string& owner, const queue::Options& wanted, const HostedQueue* changed);
    void opened(Session& session, HostedQueue& queue, std::uint64_t req, bool created);
    void answer_waiting(HostedQueue& queue);
    Result<void> set(HostedQueue& queue, const v1::QueueOptions& options);
    Result<void> remove(HostedQueue& queue, bool force);
    void closed(const Session& session, const Handle& handle);
    void tell_removed(const HostedQueue& queue);
    bool may_peek(const Session& session, const v1::Peek& request);
    bool try_peek(const Session& session, const v1::Peek& request);
    Result<v1::DeadHandled> redrive(HostedQueue& queue, queue::Range range, std::uint64_t max);
    v1::DeadHandled drop_dead(HostedQueue& queue, queue::Range range, std::uint64_t max);

    Core& core_;
    PutDesk& puts_;
    GetDesk& gets_;
    EndDesk& ends_;
    std::multimap<std::string, WaitingOpen> waiting_opens_;  // by name
    std::vector<WaitingPeek> waiting_peeks_;
};

}  // namespace telpher::broker
