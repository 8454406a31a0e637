// The processes of a benchmark of Telpher itself.
#include <string>

#include "cli/bench.h"
#include "cli/bench_latency.h"
#include "proto/command/exit.h"

namespace telpher::cli {
namespace {

using command::Globals;

Result<Queue> open(Client& client, const BenchFlags& flags) {
    QueueOptions options;
    options.create = false;
    return client.open(flags.queue, options);
}

Json cpu_since(double start) { return Json{{"cpu_s", cpu_seconds() - start}}; }

}  // namespace

int role_producer(const BenchFlags& flags, const Globals& globals) {
    Client client(globals.client_options());
    auto queue = open(client, flags);
    if (!queue) return command::print_error(queue.error());
    const std::string body(flags.size, 'x');
    wait_for_go();
    const double start = cpu_seconds();
    for (std::uint64_t i = 0; i < flags.messages; ++i) {
        if (const auto ticket = queue->put_async(body); !ticket) return command::print_error(ticket.error());
    }
    auto sealed = queue->flush();
    if (sealed) sealed = queue->seal();
    if (!sealed) return command::print_error(sealed.error());
    say(cpu_since(start).dump());
    return command::kExitOk;
}

int role_consumer(const BenchFlags& flags, const Globals& globals) {
    Client client(globals.client_options());
    auto queue = open(client, flags);
    if (!queue) return command::print_error(queue.error());
    wait_for_go();
    const double start = cpu_seconds();
    const RunResult result = queue->run({}, [](Message&) { return Verdict::ack(); });
    if (result.ended != Code::kEnd) return command::print_error(Error(result.ended));
    Json figures = cpu_since(start);
    figures["handled"] = result.handled;
    say(figures.dump());
    return command::kExitOk;
}

int role_latency_producer(const BenchFlags& flags, const Globals& globals) {
    Client client(globals.client_options());
    auto queue = open(client, flags);
    if (!queue) return command::print_error(queue.error());
    LatencySender sender(flags.size);
    wait_for_go();
    for (std::uint64_t i = 0; i < flags.messages + kWarmupMessages; ++i) {
        if (const auto id = queue->put(sender.stamp()); !id) return command::print_error(id.error());
        if (!LatencySender::wait_handled()) return command::kExitFailed;
    }
    const auto sealed = queue->seal();
    return sealed ? command::kExitOk : command::print_error(sealed.error());
}

int role_latency_consumer(const BenchFlags& flags, const Globals& globals) {
    Client client(globals.client_options());
    auto queue = open(client, flags);
    if (!queue) return command::print_error(queue.error());
    LatencyRecorder recorder(flags.messages);
    wait_for_go();
    const RunResult result = queue->run({}, [&](Message& message) {
        recorder.handled(message.text());
        return Verdict::ack();
    });
    if (result.ended != Code::kEnd) return command::print_error(Error(result.ended));
    say(recorder.figures().dump());
    return command::kExitOk;
}

}  // namespace telpher::cli
