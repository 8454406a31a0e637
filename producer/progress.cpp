#include "producer/progress.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <stop_token>
#include <utility>

#include "proto/base/units.h"

namespace telpher {
namespace {

using namespace std::chrono_literals;

constexpr auto kRedraw = 200ms;   // on a terminal
constexpr auto kPlainLine = 10s;  // elsewhere
constexpr auto kSample = 200ms;
constexpr int kBarCells = 10;
constexpr double kRateMemory = 0.8;  // of the smoothed rate, kept per sample

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::string format_seconds(double s) {
    if (s < 10) {
        std::array<char, 32> text{};
        std::snprintf(text.data(), text.size(), "%.1fs", s);
        return text.data();
    }
    const auto whole = static_cast<std::uint64_t>(s);
    if (whole < 120) return std::to_string(whole) + "s";
    if (whole < 7200) return std::to_string(whole / 60) + "m" + std::to_string(whole % 60) + "s";
    return std::to_string(whole / 3600) + "h" + std::to_string(whole / 60 % 60) + "m";
}

/// Eighths of a cell, as block characters have them.
std::string bar(double fraction) {
    constexpr std::array<const char*, 8> kEighths{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const int eighths = static_cast<int>(std::lround(fraction * kBarCells * 8));
    std::string text;
    for (int i = 0; i < eighths / 8; ++i) text += "█";
    text += kEighths[static_cast<std::size_t>(eighths % 8)];
    const int cells = eighths / 8 + (eighths % 8 != 0 ? 1 : 0);
    text.append(static_cast<std::size_t>(kBarCells - cells), ' ');
    return text;
}

/// What is left, at the pace of all so far: input waits in the window too, so the rate of confirms would lie.
std::string eta(const Progress& progress, double fraction) {
    if (fraction <= 0 || fraction >= 1 || progress.elapsed_s < 1) return {};
    return format_seconds(progress.elapsed_s * (1 - fraction) / fraction);
}

/// What is read of the input is not done yet: a window of it waits for its outcome.
double part_done(const PutCounters& counters) {
    if (counters.sent == 0) return 0;
    const double read = static_cast<double>(counters.done) / static_cast<double>(counters.whole);
    const double decided =
        static_cast<double>(counters.sent - counters.unconfirmed()) / static_cast<double>(counters.sent);
    return std::min(1.0, read * decided);
}

std::string tail(const Progress& progress, const std::string& gap, const std::string& left) {
    std::string text = format_short(progress.rate) + "/s";
    if (!left.empty()) text += gap + "eta " + left;
    if (progress.blocked_s >= 0.1) text += gap + "blocked " + format_seconds(progress.blocked_s);
    text += gap + "unconfirmed " + format_count(progress.counters.unconfirmed());
    if (progress.counters.refused > 0) text += gap + "refused " + format_count(progress.counters.refused);
    return text;
}

}  // namespace

std::string progress_bar(const std::string& queue, const Progress& progress) {
    const PutCounters& counters = progress.counters;
    std::string text = queue + "  " + format_count(counters.confirmed);
    if (counters.whole == 0) return text + "  " + tail(progress, "  ", {});
    const double fraction = part_done(counters);
    if (counters.whole_is_messages) text += "/" + format_count(counters.whole);
    text += "  " + std::to_string(static_cast<int>(fraction * 100)) + "% " + bar(fraction) + "  ";
    return text + tail(progress, "  ", eta(progress, fraction));
}

std::string progress_text(const std::string& queue, const Progress& progress) {
    return queue + ": " + format_count(progress.counters.confirmed) + " confirmed, " + tail(progress, ", ", {});
}

Progress ProgressMeter::sample(const PutCounters& counters, Instant now) {
    const double step_s = seconds(now - last_);
    const std::uint64_t news = counters.confirmed - last_confirmed_;
    if (step_s > 0) {
        const double current = static_cast<double>(news) / step_s;
        rate_ = rate_ == 0 ? current : rate_ * kRateMemory + current * (1 - kRateMemory);
        if (news == 0 && counters.unconfirmed() > 0) blocked_s_ += step_s;
    }
    last_ = now;
    last_confirmed_ = counters.confirmed;
    return Progress{counters, seconds(now - start_), blocked_s_, rate_};
}

ProgressReporter::ProgressReporter(std::string queue, bool terminal, std::function<PutCounters()> counters)
    : queue_(std::move(queue)), terminal_(terminal), counters_(std::move(counters)) {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

ProgressReporter::~ProgressReporter() {
    thread_.request_stop();
    thread_.join();
}

void ProgressReporter::run(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    ProgressMeter meter(system_clock().now());
    Instant shown = system_clock().now();
    const Duration period = terminal_ ? Duration(kRedraw) : Duration(kPlainLine);
    while (!changed.wait_for(lock, stop, kSample, [&] { return stop.stop_requested(); })) {
        const Instant now = system_clock().now();
        const Progress progress = meter.sample(counters_(), now);
        if (now - shown < period) continue;
        show(progress);
        shown = now;
    }
    if (!terminal_) return;
    show(meter.sample(counters_(), system_clock().now()));
    std::fputc('\n', stderr);
}

void ProgressReporter::show(const Progress& progress) const {
    const std::string line =
        terminal_ ? "\r" + progress_bar(queue_, progress) + "\x1b[K" : progress_text(queue_, progress) + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace telpher
