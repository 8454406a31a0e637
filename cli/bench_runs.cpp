// One run of a benchmark: the processes, their order, and what is measured from outside.
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <memory>

#include "cli/bench.h"
#include "cli/bench_process.h"
#include "proto/base/clock.h"

namespace telpher::cli {
namespace {

using command::Globals;
using Process = std::unique_ptr<BenchProcess>;

constexpr Millis kJoinMax{300'000};

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// Three digits behind the point are enough for a figure.
double rounded(double number) { return std::round(number * 1000) / 1000; }

std::string fresh_name() {
    static std::atomic<unsigned> counter{0};
    return "bench." + std::to_string(::getpid()) + "." + std::to_string(++counter);
}

/// A queue for one run; removed with it.
class BenchQueue {
public:
    BenchQueue(Client& client, const BenchFlags& flags, Durability durability) : client_(client), name_(fresh_name()) {
        QueueOptions options;
        options.maxsize = flags.maxsize;
        options.durability = durability;
        made_ = client_.create(name_, options);
    }
    ~BenchQueue() {
        if (made_) [[maybe_unused]]
            const auto removed = client_.remove(name_, true);
    }
    BenchQueue(const BenchQueue&) = delete;
    BenchQueue& operator=(const BenchQueue&) = delete;
    [[nodiscard]] const Result<void>& made() const { return made_; }
    [[nodiscard]] const std::string& name() const { return name_; }

    Result<void> join() {
        QueueOptions options;
        options.create = false;
        auto queue = client_.open(name_, options);
        if (!queue) return fail(queue.error());
        const auto joined = queue->join(kJoinMax);
        return joined ? Result<void>() : fail(joined.error());
    }

private:
    Client& client_;
    std::string name_;
    Result<void> made_;
};

/// Starts a role and waits until it is ready.
Result<Process> start(const BenchFlags& flags, const Globals& globals, const std::string& role,
                      const std::string& target, int pace_fd = -1) {
    auto process = BenchProcess::start(role_words(flags, globals, role, target), pace_fd);
    if (!process) return process;
    const auto ready = (*process)->read_line();
    if (!ready) return fail(ready.error());
    return process;
}

Result<Json> figures_of(BenchProcess& process) {
    const auto line = process.read_line();
    if (!line) return fail(line.error());
    Json figures = Json::parse(*line, nullptr, false);
    if (!figures.is_object()) return fail(Code::kInternal, "not the figures of a role: " + *line);
    return figures;
}

Result<Json> telpher_latency(const BenchFlags& flags, const Globals& globals) {
    Client client(globals.client_options());
    const BenchQueue queue(client, flags, Durability::kMemory);
    if (!queue.made()) return fail(queue.made().error());
    Pipe pace;
    auto consumer = start(flags, globals, "latency-consumer", queue.name(), pace.write_end());
    if (!consumer) return fail(consumer.error());
    auto producer = start(flags, globals, "latency-producer", queue.name(), pace.read_end());
    if (!producer) return fail(producer.error());
    (*consumer)->tell("go");
    (*producer)->tell("go");
    return figures_of(**consumer);
}

Result<Json> raw_latency(const BenchFlags& flags, const Globals& globals) {
    const std::string path = (std::filesystem::temp_directory_path() / fresh_name()).string();
    const std::string endpoint = "ipc://" + path;
    Pipe pace;
    auto forwarder = BenchProcess::start(role_words(flags, globals, "raw-forwarder", endpoint), -1);
    if (!forwarder) return fail(forwarder.error());
    auto consumer = BenchProcess::start(role_words(flags, globals, "raw-consumer", endpoint), pace.write_end());
    if (!consumer) return fail(consumer.error());
    if (const auto ready = (*forwarder)->read_line(); !ready) return fail(ready.error());
    auto producer = start(flags, globals, "raw-producer", endpoint, pace.read_end());
    if (!producer) return fail(producer.error());
    (*producer)->tell("go");
    auto figures = figures_of(**consumer);
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
    return figures;
}

}  // namespace

std::vector<std::string> role_words(const BenchFlags& flags, const Globals& globals, const std::string& role,
                                    const std::string& target) {
    std::vector<std::string> words{"bench",
                                   "--role",
                                   role,
                                   "--queue",
                                   target,
                                   "--messages",
                                   std::to_string(flags.messages),
                                   "--size",
                                   std::to_string(flags.size)};
    if (!globals.server.empty()) words.insert(words.end(), {"--server", globals.server});
    return words;
}

Result<Json> bench_throughput(const BenchFlags& flags, const Globals& globals) {
    Client client(globals.client_options());
    BenchQueue queue(client, flags, flags.durability);
    if (!queue.made()) return fail(queue.made().error());
    auto consumer = start(flags, globals, "consumer", queue.name());
    if (!consumer) return fail(consumer.error());
    auto producer = start(flags, globals, "producer", queue.name());
    if (!producer) return fail(producer.error());
    const auto before = client.status();
    if (!before) return fail(before.error());
    (*consumer)->tell("go");
    const Instant begin = system_clock().now();
    (*producer)->tell("go");
    const auto produced = figures_of(**producer);
    if (!produced) return produced;
    if (auto joined = queue.join(); !joined) return fail(joined.error());
    const double elapsed_s = seconds(system_clock().now() - begin);
    const auto consumed = figures_of(**consumer);
    if (!consumed) return consumed;
    const auto after = client.status();
    if (!after) return fail(after.error());
    const double millions = static_cast<double>(flags.messages) / 1e6;
    const double broker_s = static_cast<double>(after->cpu_us - before->cpu_us) / 1e6;
    return Json{{"seconds", rounded(elapsed_s)},
                {"msg_per_s", std::llround(static_cast<double>(flags.messages) / elapsed_s)},
                {"cpu_s_per_million",
                 {{"producer", rounded(produced->at("cpu_s").get<double>() / millions)},
                  {"broker", rounded(broker_s / millions)},
                  {"consumer", rounded(consumed->at("cpu_s").get<double>() / millions)}}},
                {"commits", after->commits - before->commits},
                {"broker_resident_bytes", after->resident_bytes}};
}

Result<Json> bench_latency(const BenchFlags& flags, const Globals& globals) {
    const auto raw = raw_latency(flags, globals);
    if (!raw) return raw;
    const auto telpher = telpher_latency(flags, globals);
    if (!telpher) return telpher;
    const double ratio = telpher->at("p50_us").get<double>() / raw->at("p50_us").get<double>();
    return Json{{"telpher", *telpher}, {"raw_zeromq", *raw}, {"p50_ratio", rounded(ratio)}};
}

}  // namespace telpher::cli
