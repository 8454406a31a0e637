#include "consumer/stream_runner.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "proto/command/exit.h"
#include "proto/command/message_json.h"

namespace telpher {
namespace {

using Event = CommandProcess::Event;

constexpr std::size_t kReadBytes = 16 * 1024;

void close_fd(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
}

Result<Action> action_of(const std::string& name) {
    for (const Action action :
         {Action::kAck, Action::kRetry, Action::kFail, Action::kDead, Action::kRelease, Action::kPause}) {
        if (word(action) == name) return action;
    }
    return fail(Code::kUsage, "\"verdict\" is not ack, retry, fail, dead, release or pause");
}

}  // namespace

Result<Outcome> parse_verdict(std::string_view line, std::uint64_t id) {
    const auto object = command::Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) return fail(Code::kUsage, "not a JSON object");
    const auto number = object.find("id");
    if (number == object.end() || !number->is_number_unsigned() || number->get<std::uint64_t>() != id)
        return fail(Code::kUsage, "\"id\" is not that of the message");
    const auto verdict = object.find("verdict");
    if (verdict == object.end() || !verdict->is_string()) return fail(Code::kUsage, "no \"verdict\"");
    const auto action = action_of(verdict->get<std::string>());
    if (!action) return fail(action.error());
    Outcome outcome{*action};
    if (const auto reason = object.find("reason"); reason != object.end() && reason->is_string())
        outcome.reason = reason->get<std::string>();
    if (const auto delay = object.find("delay_ms"); delay != object.end() && delay->is_number_unsigned())
        outcome.delay = Millis(static_cast<std::int64_t>(delay->get<std::uint64_t>() & INT64_MAX));
    return outcome;
}

StreamRunner::~StreamRunner() { leave(); }

// --- life of the command ---

Result<void> StreamRunner::start(const CommandInput& input) {
    std::array<int, 2> in{-1, -1}, out{-1, -1};
    if (::pipe2(in.data(), O_CLOEXEC) != 0) return fail(Code::kIo, std::string("pipe: ") + std::strerror(errno));
    if (::pipe2(out.data(), O_CLOEXEC) != 0) {
        const int error = errno;
        for (int& fd : in) close_fd(fd);
        return fail(Code::kIo, std::string("pipe: ") + std::strerror(error));
    }
    const auto environment = environment_of_stream(input, options_.environment);
    auto started = running_.start(process_, {.command = options_.command,
                                             .environment = environment,
                                             .in = in[0],
                                             .out = out[1],
                                             .folder = options_.folder});
    close_fd(in[0]);
    close_fd(out[1]);
    to_ = in[1];
    from_ = out[0];
    read_.clear();
    process_.tail().clear();
    if (!started) {
        close_fd(to_);
        close_fd(from_);
        return started;
    }
    for (const int fd : {to_, from_}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
    return {};
}

CommandEnd StreamRunner::finish() {
    close_fd(to_);
    const CommandEnd end = process_.finish([this] {
        if (on_process_) on_process_(0);
        running_.forget(process_.pid());
    });
    close_fd(from_);
    return end;
}

void StreamRunner::kill() {
    ::kill(-process_.pid(), SIGKILL);
    (void)finish();
}

void StreamRunner::leave() {
    if (!process_.started()) return;
    close_fd(to_);
    process_.limit({.soft = kForever, .hard = kLeaveMax}, system_clock().now());
    while (process_.wait() != Event::kEnded) continue;
    (void)finish();
}

// --- messages ---

Outcome StreamRunner::run(const CommandInput& input, const std::function<void(pid_t)>& on_process) {
    on_process_ = on_process;
    if (process_.started() && process_.ended()) (void)finish();  // between two messages: nobody's fault
    if (!process_.started()) {
        const auto started = start(input);
        if (!started) return not_started(started.error());
    }
    if (on_process_) on_process_(process_.pid());
    process_.tail().clear();
    process_.limit(options_.limits, system_clock().now());
    Outcome outcome = talk(input);
    if (process_.started()) process_.limit({}, Instant{});
    on_process_ = {};
    return outcome;
}

Outcome StreamRunner::talk(const CommandInput& input) {
    std::string line;
    if (!write(request_line(input)) || !read(line)) return ended();
    if (line.size() > kLineMax) return fail_with("its verdict is longer than 64 KiB");
    auto outcome = parse_verdict(line, input.id);
    // Who answers nonsense once cannot be trusted to answer the right message next.
    if (!outcome) return fail_with("bad verdict: " + outcome.error().detail() + ": " + line.substr(0, 200));
    if (!read_.empty()) return fail_with("more than one verdict for a message");
    return *outcome;
}

Outcome StreamRunner::fail_with(const std::string& reason) {
    kill();
    return {Action::kFail, reason};
}

/// It ended before its verdict: how it ended is the verdict, but success is none.
Outcome StreamRunner::ended() {
    // Killed for its limit it closes its stdout a moment before it is dead.
    const bool lingers = !process_.ended() && !process_.over_limit();
    close_fd(to_);
    process_.end_by(system_clock().now() + kLeaveMax);
    while (process_.wait() != Event::kEnded) continue;
    const CommandEnd end = finish();
    const std::string tail = process_.tail().text();
    if (running_.closed() && end.why == CommandEnd::Why::kSignal) return {Action::kRelease};
    if (lingers && end.why == CommandEnd::Why::kTimeLimit)
        return {Action::kFail, "closed its stdin or stdout without a verdict"};
    Outcome outcome = outcome_of(end, options_, tail);
    if (outcome.action == Action::kAck) return {Action::kFail, "ended without a verdict"};
    if (outcome.action == Action::kBroken)
        outcome.reason = options_.command[0] + " cannot be executed: " + outcome.reason;
    return outcome;
}

/// False: it does not read any more.
bool StreamRunner::write(std::string_view line) {
    while (!line.empty()) {
        const ssize_t wrote = ::write(to_, line.data(), line.size());
        if (wrote > 0) {
            line.remove_prefix(static_cast<std::size_t>(wrote));
        } else if (errno == EAGAIN) {
            if (process_.wait(to_, true) == Event::kEnded) return false;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

/// False: it ended, or closed its stdout.
bool StreamRunner::read(std::string& line) {
    std::array<char, kReadBytes> buffer;  // NOLINT: filled by read
    for (;;) {
        if (const std::size_t end = read_.find('\n'); end != std::string::npos || read_.size() > kLineMax) {
            line = read_.substr(0, end);
            read_.erase(0, end == std::string::npos ? end : end + 1);
            return true;
        }
        const ssize_t got = ::read(from_, buffer.data(), buffer.size());
        if (got > 0) {
            read_.append(buffer.data(), static_cast<std::size_t>(got));
        } else if (got == 0) {
            return false;
        } else if (errno == EAGAIN) {
            if (process_.wait(from_) == Event::kEnded && process_.ended()) {
                const ssize_t last = ::read(from_, buffer.data(), buffer.size());
                if (last <= 0) return false;
                read_.append(buffer.data(), static_cast<std::size_t>(last));
            }
        } else if (errno != EINTR) {
            return false;
        }
    }
}

}  // namespace telpher
