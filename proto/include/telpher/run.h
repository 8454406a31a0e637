// The worker runtime: a handler on P supervised processes with T threads each. Handlers of one process share it, so
// that a crash takes all of them with it; the message whose handler crashed is the only one that is blamed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "telpher/client.h"
#include "telpher/error.h"
#include "telpher/export.h"
#include "telpher/options.h"

namespace telpher {

/// Options of run(). A plain value.
struct WorkerOptions {
    unsigned processes = 1;      ///< Worker processes, 1..1024; 0 = one for each CPU this process may use.
    unsigned threads = 1;        ///< Handler threads of each, 1..1024.
    std::uint32_t prefetch = 0;  ///< As in ConsumeOptions, of each process.
    Millis idle = kForever;      ///< A process to which nothing came for this long leaves.
    bool forever = false;        ///< Go on with the next generation of the queue, and wait for a broker that is away.
    std::uint64_t messages_max = 0;  ///< A process that handled so many is replaced; 0 = never.
    /// Resident bytes of a process above which no handler starts in it. The one that then runs last is blamed (nack
    /// with the limit as reason) and the process replaced; if all come to their end it is replaced without blame.
    std::uint64_t rss_max = 0;
    /// How long a handler may run. Over: no other one starts in its process, those that run have 5 s, then the process
    /// is killed and replaced, and the message blamed.
    Millis time_limit = kForever;
    Millis drain{60'000};  ///< After SIGTERM, how long handlers may run on; then their messages go back without blame.
    ClientOptions client{};  ///< Each process has a Client of its own.
    QueueOptions queue{};    ///< As in Client::open().
    /// Called with one line per event (a worker died, ...) by the calling process and by workers; must not block.
    std::function<void(const std::string&)> log{};
};

/// Runs `handler` for the messages of queue `name` until its end, idleness, SIGTERM or SIGINT. The processes are made
/// with fork(): call it before this process has a second thread (kUsage otherwise), and make no Client before it. Takes
/// SIGTERM, SIGINT, SIGHUP and SIGCHLD while it runs: SIGTERM and SIGINT drain, a second one ends at once; SIGHUP
/// replaces the processes one after the other. A process that crashes is replaced; the message whose handler crashed is
/// given back as failed, with the signal as reason, the others of that process without blame. Leases of a queue with a
/// lease time are kept while handlers run. If the calling process dies, the workers drain.
///
/// Returns what all processes did, or why one failed for good (kUnreachable, kNotFound, kLost, ...; kUsage also for
/// options out of range). An exception from the handler is a nack with its text as the reason.
TELPHER_API Result<RunResult> run(std::string_view name, const WorkerOptions& options,
                                  const std::function<Verdict(Message&)>& handler);

}  // namespace telpher
