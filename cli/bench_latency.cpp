#include "cli/bench_latency.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <iostream>

#include "cli/bench.h"
#include "cli/bench_process.h"

namespace telpher::cli {
namespace {

double tenths(double number) { return std::round(number * 10) / 10; }

}  // namespace

void say(const std::string& line) { std::cout << line << std::endl; }

void wait_for_go() {
    say("ready");
    std::string line;
    std::getline(std::cin, line);
}

LatencySender::LatencySender(std::size_t size) : body_(std::max(size, sizeof(Instant)), 'x') {}

std::string_view LatencySender::stamp() {
    const Instant now = system_clock().now();
    std::memcpy(body_.data(), &now, sizeof now);
    return body_;
}

bool LatencySender::wait_handled() {
    char handled = 0;
    return ::read(kPaceFd, &handled, 1) == 1;
}

void LatencyRecorder::handled(std::string_view body) {
    const Instant now = system_clock().now();
    Instant sent;
    if (body.size() < sizeof sent) return;
    std::memcpy(&sent, body.data(), sizeof sent);
    if (++count_ > kWarmupMessages) micros_.push_back(std::chrono::duration<double, std::micro>(now - sent).count());
    // The other side waits for it; if it is gone, there is nobody to tell.
    [[maybe_unused]] const ssize_t written = ::write(kPaceFd, "", 1);
}

command::Json LatencyRecorder::figures() {
    return command::Json{{"p50_us", tenths(percentile(micros_, 0.50))}, {"p99_us", tenths(percentile(micros_, 0.99))}};
}

}  // namespace telpher::cli
