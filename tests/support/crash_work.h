// The handler of the tests that crash workers: what the body says, and a line in the file of $TELPHER_TEST_LOG once it
// is done. For libraries and programs that know nothing of the tests but this. Any thread.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "proto/base/clock.h"

namespace telpher::test {

/// "ID ATTEMPT PID MS" at the end of the log, in one write.
inline void log_done(std::uint64_t id, std::uint32_t attempt) {
    static const int log = ::open(std::getenv("TELPHER_TEST_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    const std::string line = std::to_string(id) + " " + std::to_string(attempt) + " " + std::to_string(::getpid()) +
                             " " + std::to_string(system_clock().now().ns / 1'000'000) + "\n";
    if (::write(log, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::abort();
}

/// Memory without end, slowly enough that somebody can notice.
inline void eat_memory() {
    constexpr std::size_t kPiece = 8 << 20;
    for (std::vector<std::string> pieces; pieces.size() < 512;) {
        pieces.emplace_back(kPiece, 'x');
        std::this_thread::yield();
    }
    std::abort();
}

/// "segv", "abort", "kill", "exit", "rss", "hang": at the first attempt; "work": a few milliseconds.
inline void do_work(std::string_view body, std::uint64_t id, std::uint32_t attempt) {
    if (attempt == 1) {
        if (body == "segv") *reinterpret_cast<volatile int*>(std::uintptr_t{8}) = 1;
        if (body == "abort") std::abort();
        if (body == "kill") ::kill(::getpid(), SIGKILL);
        if (body == "exit") ::_exit(9);
        if (body == "rss") eat_memory();
        while (body == "hang") ::pause();
    }
    ::poll(nullptr, 0, 4);
    log_done(id, attempt);
}

}  // namespace telpher::test
