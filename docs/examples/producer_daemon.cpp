// A producer daemon: measures something every 10 ms and puts it into a queue of at most 50 messages. When nobody keeps
// up, put() waits; when the broker is away, put() waits for it; SIGTERM ends the wait, and what was not confirmed by
// then is certainly not in the queue.
//
//     producer_daemon QUEUE [COUNT]        until SIGTERM, or COUNT messages; then it seals the queue
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <telpher/telpher.hpp>

#include "stop_on_signal.h"

namespace {

std::string measure(long n) { return "reading " + std::to_string(n); }

/// False: told to stop.
bool pause_between(const std::stop_token& stop) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any never;
    return !never.wait_for(lock, stop, telpher::Millis(10), [&] { return stop.stop_requested(); });
}

int produce(telpher::Queue& queue, long count, const std::stop_token& stop) {
    telpher::PutOptions options;
    options.stop = stop;
    long confirmed = 0;
    while (confirmed < count && pause_between(stop)) {
        const auto id = queue.put(measure(confirmed), options);
        if (!id && id.error().code() == telpher::Code::kStopped) break;
        if (!id) {
            std::fprintf(stderr, "producer: %s\n", id.error().message().c_str());
            return EXIT_FAILURE;
        }
        ++confirmed;
    }
    std::printf("producer: %ld confirmed\n", confirmed);
    if (confirmed < count) return EXIT_SUCCESS;
    return queue.seal(telpher::Millis(10'000)) ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: producer_daemon QUEUE [COUNT]\n");
        return 64;
    }
    const StopOnSignal signals;
    try {
        telpher::Client client;  // $TELPHER_SERVER
        telpher::QueueOptions options;
        options.maxsize = 50;
        telpher::Queue queue = client.queue(argv[1], options);
        return produce(queue, argc > 2 ? std::atol(argv[2]) : __LONG_MAX__, signals.token());
    } catch (const telpher::Failure& failure) {
        std::fprintf(stderr, "producer: %s\n", failure.what());
        return EXIT_FAILURE;
    }
}
