// `telpher bench`: what is measured, how the processes of a run are told, and the figures. Plain values and functions;
// the command runs one benchmark at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/command/globals.h"
#include "proto/command/message_json.h"
#include "telpher/client.h"

namespace telpher::cli {

using command::Json;

struct BenchFlags {
    std::string what = "throughput";
    std::uint64_t messages = 0;  ///< 0: 1,000,000 for throughput, 20,000 for latency.
    std::uint64_t size = 100;
    Durability durability = Durability::kFsync;
    std::uint64_t maxsize = 1'000'000;
    unsigned runs = 5;
    std::string role;   ///< Of a process that a benchmark started; empty: the command itself.
    std::string queue;  ///< Of a role: queue or endpoint.
};

/// The value below which `part` (0..1) of them lie; sorts. 0 of none.
double percentile(std::vector<double>& values, double part);

/// The run in the middle by member `key`; `runs` is not empty.
const Json& median_by(const std::vector<Json>& runs, const std::string& key);

/// CPU time of this process so far, in seconds.
double cpu_seconds();

/// Words that start `role` with the same sizes and broker.
std::vector<std::string> role_words(const BenchFlags& flags, const command::Globals& globals, const std::string& role,
                                    const std::string& target);

/// One run; its figures. Errors of the broker or of a process.
Result<Json> bench_throughput(const BenchFlags& flags, const command::Globals& globals);
Result<Json> bench_latency(const BenchFlags& flags, const command::Globals& globals);

/// The processes of a run: "ready" on stdout, a line on stdin to go, one line of JSON with figures. The exit status.
int role_producer(const BenchFlags& flags, const command::Globals& globals);
int role_consumer(const BenchFlags& flags, const command::Globals& globals);
int role_latency_producer(const BenchFlags& flags, const command::Globals& globals);
int role_latency_consumer(const BenchFlags& flags, const command::Globals& globals);
/// The same path without Telpher: DEALER to a ROUTER that forwards to a DEALER.
int role_raw_producer(const BenchFlags& flags);
int role_raw_forwarder(const BenchFlags& flags);
int role_raw_consumer(const BenchFlags& flags);

}  // namespace telpher::cli
