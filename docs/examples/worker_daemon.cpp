// A worker daemon: handles messages on two supervised processes with four threads each, until the queue is sealed and
// drained, or SIGTERM. SIGHUP replaces the processes one by one. A handler that crashes takes only its own message
// along.
//
//     worker_daemon QUEUE
#include <telpher/run.h>
#include <cstdio>
#include <string>

namespace {

telpher::Verdict handle(telpher::Message& message) {
    const std::string line = std::string(message.text()) + "\n";
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fflush(stdout);  // the work is done before the ack says so
    return telpher::Verdict::ack();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: worker_daemon QUEUE\n");
        return 64;
    }
    telpher::WorkerOptions options;  // the broker is $TELPHER_SERVER
    options.processes = 2;
    options.threads = 4;
    options.log = [](const std::string& text) { std::fprintf(stderr, "worker: %s\n", text.c_str()); };
    const auto result = telpher::run(argv[1], options, handle);
    if (!result) {
        std::fprintf(stderr, "worker: %s\n", result.error().message().c_str());
        return 1;
    }
    std::fprintf(stderr, "worker: %llu acked\n", static_cast<unsigned long long>(result->acked));
    return 0;
}
