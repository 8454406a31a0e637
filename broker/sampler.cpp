#include "broker/sampler.h"

#include <algorithm>

#include "proto/version.h"

namespace telpher::broker {
namespace {

/// A slice: about a quarter of a millisecond.
constexpr std::size_t kQueuesPerSlice = 100;
constexpr std::size_t kSessionsPerSlice = 500;
/// Runs of leases looked at for the oldest. They are in the order of the messages, so the oldest is among the first.
constexpr std::size_t kLeaseRunsMax = 64;

void count(const Session& session, ClientCounts& clients) {
    const bool puts = !session.producers.empty();
    const bool gets = !session.subscriptions.empty();
    ++(puts && gets ? clients.both : puts ? clients.producers : gets ? clients.consumers : clients.idle);
}

}  // namespace

bool Sampler::go_on(SampleJob& job) {
    if (!job.begun) {
        begin(job);
        return job.queues_done && job.sessions.empty();
    }
    if (!job.queues_done) {
        job.queues_done = take_queues(job);
        return job.queues_done && job.sessions.empty();
    }
    return take_sessions(job);
}

void Sampler::begin(SampleJob& job) const {
    job.begun = true;
    Sample& sample = job.sample;
    sample.status = status();
    sample.disk_full = core_.disk_full;
    sample.disk_room = core_.disk_room;
    sample.transport = core_.transport.figures();
    auto errors = core_.protocol_errors;
    if (sample.transport.refused > 0) errors[Code::kProtocol] += sample.transport.refused;
    sample.protocol_errors.assign(errors.begin(), errors.end());
    for (std::size_t i = 0; i < kRefusals && core_.refusals != nullptr; ++i) {
        sample.refusals.at(i) = core_.refusals->counted(static_cast<Refusal>(i));
    }
    auto [sync_time, sync_messages] = core_.log.commit_figures();
    sample.sync_time = sync_time;
    sample.sync_messages = sync_messages;
    if (job.query.queues && !job.query.queue.empty()) {
        if (HostedQueue* queue = core_.catalog.find(job.query.queue)) sample.queues.push_back(look(*queue));
    } else if (job.query.queues) {
        sample.queues.reserve(core_.catalog.size());
    }
    job.queues_done = !job.query.queues || !job.query.queue.empty();
    if (job.query.count_clients || job.query.list_clients) {
        job.sessions.reserve(core_.sessions.size());
        core_.sessions.for_each([&](const Session& session) { job.sessions.push_back(session.id); });
    }
}

bool Sampler::take_queues(SampleJob& job) const {
    const auto& queues = core_.catalog.by_name();
    auto at = job.sample.queues.empty() ? queues.begin() : queues.upper_bound(job.after);
    for (std::size_t left = kQueuesPerSlice; left > 0 && at != queues.end(); --left, ++at) {
        job.sample.queues.push_back(look(*at->second));
    }
    if (!job.sample.queues.empty()) job.after = job.sample.queues.back().state.name();
    return at == queues.end();
}

bool Sampler::take_sessions(SampleJob& job) const {
    for (std::size_t left = kSessionsPerSlice; left > 0 && !job.sessions.empty(); --left) {
        const Session* session = core_.sessions.find(job.sessions.back());
        job.sessions.pop_back();
        if (session == nullptr) continue;  // gone meanwhile
        count(*session, job.sample.clients);
        if (!job.query.list_clients) continue;
        job.sample.client_list.push_back({.name = session->name,
                                          .connected = session->connected,
                                          .producers = static_cast<std::uint32_t>(session->producers.size()),
                                          .consumers = static_cast<std::uint32_t>(session->subscriptions.size()),
                                          .silent = core_.now - session->last_heard});
    }
    return job.sessions.empty();
}

QueueSample Sampler::look(HostedQueue& queue) const {
    QueueSample sample;
    sample.id = queue.id;
    sample.state = queue.state();
    sample.credit = queue.queue.credit(kCreditShown);
    sample.lease_ended = queue.queue.counters().lease_ended;
    sample.metrics = queue.metrics;
    if (const auto place = queue.queue.oldest_ready()) {
        const BatchStore::Entry* entry = core_.store.find(place->batch);
        sample.oldest_ready = core_.now - (entry != nullptr ? entry->since : core_.instant_of(place->put));
    }
    if (const auto since = queue.lease_times.oldest(kLeaseRunsMax)) sample.oldest_lease = core_.now - *since;
    return sample;
}

v1::StatusIs Sampler::status() const {
    v1::StatusIs status;
    status.set_version(std::string(kVersion));
    status.set_boot_id(constants_.boot_id);
    status.set_boot(constants_.boot);
    status.set_uptime_ms(static_cast<std::uint64_t>((core_.now - constants_.started).count() / 1'000'000));
    status.set_sessions(static_cast<std::uint32_t>(core_.sessions.size()));
    status.set_queues(static_cast<std::uint32_t>(core_.catalog.size()));
    status.set_log_bytes(core_.log.segment_count() * constants_.segment_bytes);
    status.set_committed_lsn(core_.log.committed_lsn().value());
    status.set_commits(core_.log.commits());
    status.set_data_dir(core_.settings.data_dir);
    status.set_connections(core_.transport.connections());
    status.set_kicked(core_.transport.kicked());
    return status;
}

}  // namespace telpher::broker
