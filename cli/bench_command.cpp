// `telpher bench`: producer, broker and consumer as three processes; one line of JSON a run, and one of the run in the
// middle.
#include <CLI/CLI.hpp>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "cli/bench.h"
#include "cli/bench_process.h"
#include "cli/commands.h"
#include "proto/command/exit.h"
#include "proto/command/output.h"
#include "proto/command/queue_flags.h"
#include "proto/command/value_flags.h"
#include "proto/version.h"

namespace telpher::cli {
namespace {

using command::Globals;
using command::Program;

constexpr std::uint64_t kThroughputMessages = 1'000'000;
constexpr std::uint64_t kLatencyMessages = 20'000;

std::string cpu_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with("model name")) continue;
        const std::size_t colon = line.find(": ");
        return colon == std::string::npos ? line : line.substr(colon + 2);
    }
    return "unknown";
}

/// What was measured, and where: a figure without it means nothing.
Json frame(const BenchFlags& flags, const Json& figures, const Json& run) {
    const bool latency = flags.what == "latency";
    Json line{{"bench", flags.what}, {"run", run}, {"messages", flags.messages}, {"size", flags.size}};
    line["durability"] = command::name_of(latency ? Durability::kMemory : flags.durability);
    line["queue_maxsize"] = flags.maxsize;
    line.update(figures);
    line["version"] = kVersion;
    line["revision"] = kGitRevision;
    line["machine"] = Json{{"cpu", cpu_model()}, {"cpus", std::thread::hardware_concurrency()}};
    return line;
}

int measure(const BenchFlags& flags, const Globals& globals) {
    const bool latency = flags.what == "latency";
    std::vector<Json> runs;
    for (unsigned run = 1; run <= flags.runs; ++run) {
        const auto figures = latency ? bench_latency(flags, globals) : bench_throughput(flags, globals);
        if (!figures) return command::print_error(figures.error());
        runs.push_back(*figures);
        if (const int status = command::print(frame(flags, *figures, run).dump() + "\n"); status != 0) return status;
    }
    const Json& median = median_by(runs, latency ? "p50_ratio" : "msg_per_s");
    return command::print(frame(flags, median, "median").dump() + "\n");
}

int bench(BenchFlags flags, const Globals& globals) {
    if (flags.messages == 0) flags.messages = flags.what == "latency" ? kLatencyMessages : kThroughputMessages;
    if (flags.role.empty()) return measure(flags, globals);
    if (!stay_with_parent()) return command::kExitFailed;
    if (flags.role == "producer") return role_producer(flags, globals);
    if (flags.role == "consumer") return role_consumer(flags, globals);
    if (flags.role == "latency-producer") return role_latency_producer(flags, globals);
    if (flags.role == "latency-consumer") return role_latency_consumer(flags, globals);
    if (flags.role == "raw-producer") return role_raw_producer(flags);
    if (flags.role == "raw-forwarder") return role_raw_forwarder(flags);
    if (flags.role == "raw-consumer") return role_raw_consumer(flags);
    return command::print_error(Error(Code::kUsage, "no role " + flags.role));
}

}  // namespace

void add_bench_command(Program& program) {
    const std::map<std::string, Durability> durabilities{
        {"fsync", Durability::kFsync}, {"async", Durability::kAsync}, {"memory", Durability::kMemory}};
    CLI::App* app =
        program.app().add_subcommand("bench", "Measure the broker: JSON lines, the last is the run in the middle");
    const auto flags = std::make_shared<BenchFlags>();
    app->add_option("WHAT", flags->what, "throughput (default) or latency (put to handler, beside bare ZeroMQ)")
        ->check(CLI::IsMember({"throughput", "latency"}).description(""));
    command::add_count(*app, "--messages", {}, flags->messages, "Messages a run (default 1000000; latency 20000)");
    command::add_size(*app, "--size", flags->size, "Bytes of a message (default 100)");
    app->add_option("--durability", flags->durability, "fsync (default), async or memory; latency always uses memory")
        ->transform(CLI::CheckedTransformer(durabilities).description(""))
        ->type_name("D");
    command::add_count(*app, "--queue-maxsize", {}, flags->maxsize, "Bound of the queue (default 1000000)");
    command::add_count(*app, "--runs", {}, flags->runs, "How often (default 5)");
    app->add_option("--role", flags->role)->group("");
    app->add_option("--queue", flags->queue)->group("");
    program.on(*app, [flags, &program] { return bench(*flags, program.globals()); });
}

}  // namespace telpher::cli
