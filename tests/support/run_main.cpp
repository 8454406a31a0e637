// telpher::run() as the tests use it: telpher-test-run SERVER QUEUE PROCESSES THREADS [RSS_MAX]
#include <telpher/run.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/support/crash_work.h"

int main(int argc, char** argv) {
    if (argc < 5) return 64;
    telpher::WorkerOptions options;
    options.client.server = argv[1];
    options.processes = static_cast<unsigned>(std::atoi(argv[3]));
    options.threads = static_cast<unsigned>(std::atoi(argv[4]));
    if (argc > 5) options.rss_max = static_cast<std::uint64_t>(std::atoll(argv[5]));
    options.queue.create = false;
    options.log = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); };
    const auto result = telpher::run(argv[2], options, [](telpher::Message& message) {
        telpher::test::do_work(message.text(), message.id(), message.attempt());
        return telpher::Verdict::ack();
    });
    if (!result) {
        std::fprintf(stderr, "run: %s\n", result.error().message().c_str());
        return 1;
    }
    std::printf("handled %llu acked %llu nacked %llu: %s\n", static_cast<unsigned long long>(result->handled),
                static_cast<unsigned long long>(result->acked), static_cast<unsigned long long>(result->nacked),
                std::string(telpher::info(result->ended).name).c_str());
    return 0;
}
