// A consumer daemon: handles messages on four threads until the queue is sealed and drained, or SIGTERM. Start as many
// processes of it as there are CPUs, on as many hosts as there are: they share the work.
//
//     consumer_daemon QUEUE
#include <cstdio>
#include <cstdlib>
#include <string>
#include <telpher/telpher.hpp>

#include "stop_on_signal.h"

namespace {

/// The work. A message may come twice if a consumer dies after its work and before its ack: redelivered() says so.
telpher::Verdict handle(telpher::Message& message) {
    if (message.text().empty()) return telpher::Verdict::nack(telpher::Millis(1'000));  // again in a second
    const std::string line = std::string(message.text()) + (message.redelivered() ? " (again)\n" : "\n");
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fflush(stdout);  // the work is done before the ack says so
    return telpher::Verdict::ack();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: consumer_daemon QUEUE\n");
        return 64;
    }
    const StopOnSignal signals;
    try {
        telpher::Client client;  // $TELPHER_SERVER
        telpher::QueueOptions options;
        options.maxsize = 50;
        telpher::Queue queue = client.queue(argv[1], options);
        telpher::RunOptions run;
        run.threads = 4;
        run.stop = signals.token();
        const telpher::RunResult result = queue.run(run, handle);
        std::fprintf(stderr, "consumer: %llu acked, %s\n", static_cast<unsigned long long>(result.acked),
                     std::string(telpher::info(result.ended).text).c_str());
        const bool fine = result.ended == telpher::Code::kEnd || result.ended == telpher::Code::kStopped;
        return fine ? EXIT_SUCCESS : EXIT_FAILURE;
    } catch (const telpher::Failure& failure) {
        std::fprintf(stderr, "consumer: %s\n", failure.what());
        return EXIT_FAILURE;
    }
}
