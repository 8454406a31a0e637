// The yardstick of the latency benchmark: the shortest way through a process in the middle that ZeroMQ offers, with
// nothing of ours on it. A ROUTER, as the broker has, passes what one DEALER sends on to the other.
#include <string>
#include <zmq.hpp>

#include "cli/bench.h"
#include "cli/bench_latency.h"
#include "proto/command/exit.h"

namespace telpher::cli {
namespace {

constexpr const char* kProducerId = "P";
constexpr const char* kConsumerId = "C";

/// Any failure of ZeroMQ ends the role; the benchmark sees that it ended.
template <class Role>
int guarded(Role role) {
    try {
        return role();
    } catch (const zmq::error_t& error) {
        return command::print_error(Error(Code::kIo, std::string("zmq: ") + error.what()));
    }
}

zmq::socket_t dealer(zmq::context_t& context, const char* id, const std::string& endpoint) {
    zmq::socket_t socket(context, zmq::socket_type::dealer);
    socket.set(zmq::sockopt::routing_id, id);
    socket.set(zmq::sockopt::linger, 0);
    socket.connect(endpoint);
    return socket;
}

}  // namespace

int role_raw_producer(const BenchFlags& flags) {
    return guarded([&]() -> int {
        zmq::context_t context;
        zmq::socket_t socket = dealer(context, kProducerId, flags.queue);
        LatencySender sender(flags.size);
        wait_for_go();
        for (std::uint64_t i = 0; i < flags.messages + kWarmupMessages; ++i) {
            socket.send(zmq::buffer(sender.stamp()), zmq::send_flags::none);
            if (!LatencySender::wait_handled()) return command::kExitFailed;
        }
        return command::kExitOk;
    });
}

int role_raw_forwarder(const BenchFlags& flags) {
    return guarded([&]() -> int {
        zmq::context_t context;
        zmq::socket_t socket(context, zmq::socket_type::router);
        socket.set(zmq::sockopt::router_mandatory, true);
        socket.set(zmq::sockopt::linger, 0);
        socket.bind(flags.queue);
        zmq::message_t from, body;
        // The consumer greets first, so that its id is known before anything is passed on to it.
        if (!socket.recv(from) || !socket.recv(body)) return command::kExitFailed;
        say("ready");
        for (;;) {  // until it is killed
            if (!socket.recv(from) || !socket.recv(body)) return command::kExitFailed;
            socket.send(zmq::buffer(kConsumerId, 1), zmq::send_flags::sndmore);
            socket.send(body, zmq::send_flags::none);
        }
    });
}

int role_raw_consumer(const BenchFlags& flags) {
    return guarded([&]() -> int {
        zmq::context_t context;
        zmq::socket_t socket = dealer(context, kConsumerId, flags.queue);
        socket.send(zmq::str_buffer("here"), zmq::send_flags::none);
        LatencyRecorder recorder(flags.messages);
        zmq::message_t body;
        while (recorder.count() < flags.messages + kWarmupMessages) {
            if (!socket.recv(body)) return command::kExitFailed;
            recorder.handled(body.to_string_view());
        }
        say(recorder.figures().dump());
        return command::kExitOk;
    });
}

}  // namespace telpher::cli
