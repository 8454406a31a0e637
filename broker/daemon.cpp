#include "broker/daemon.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "broker/admin_pages.h"
#include "broker/config.h"
#include "broker/descriptors.h"
#include "broker/door.h"
#include "broker/log/dir_lock.h"
#include "broker/log/file.h"
#include "broker/reload.h"
#include "broker/replay_progress.h"
#include "broker/zap.h"
#include "proto/base/random.h"
#include "proto/http/http_server.h"
#include "proto/service/log_line.h"
#include "proto/service/logging.h"
#include "proto/service/notify.h"
#include "proto/service/watchdog.h"
#include "proto/version.h"

namespace telpher::broker {
namespace {

using service::log_line;
using std::chrono::milliseconds;

constexpr auto kTickEvery = std::chrono::seconds(1);       // of the main thread: status, lost log lines
constexpr auto kReplayExtends = std::chrono::seconds(30);  // what a replay asks for once a second
/// The shard answers the admin port within a few turns, or it hangs.
constexpr auto kSampleWait = std::chrono::seconds(2);
constexpr auto kLogEndsWithin = milliseconds(2000);

Result<void> prepare_dir(const std::string& dir) {
    // Durably, and its parents: else a power cut could take the folder with all that was confirmed in it.
    if (auto made = log::posix_file_system().make_dir(dir); !made) {
        return fail(made.error().code(), "cannot make " + dir + ": " + made.error().detail());
    }
    if (::access(dir.c_str(), R_OK | W_OK | X_OK) != 0) return fail(Code::kIo, "cannot write in " + dir);
    return {};
}

Result<std::string> make_dev_dir() {
    const char* base = std::getenv("TMPDIR");
    std::string path = std::string(base != nullptr ? base : "/tmp") + "/telpher-dev-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) return fail(Code::kIo, "cannot make a folder like " + path);
    return path;
}

/// Signals and events of the program, one descriptor each.
class Events {
public:
    Events() {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        pthread_sigmask(SIG_BLOCK, &set, nullptr);  // before any thread: all inherit it
        signal(SIGPIPE, SIG_IGN);
        signals_ = signalfd(-1, &set, SFD_CLOEXEC);
        failed_ = eventfd(0, EFD_CLOEXEC);
    }
    ~Events() {
        ::close(signals_);
        ::close(failed_);
    }
    Events(const Events&) = delete;
    Events& operator=(const Events&) = delete;

    void tell_failed() const {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(failed_, &one, sizeof one);
    }
    enum class Event : std::uint8_t { kTick, kStop, kReload, kFailed };
    /// Waits for one of them, at most until `until` (kTick).
    [[nodiscard]] Event wait(Instant until) const {
        for (;;) {
            std::array<pollfd, 2> polled{pollfd{signals_, POLLIN, 0}, pollfd{failed_, POLLIN, 0}};
            const auto left = std::chrono::ceil<milliseconds>(until - system_clock().now()).count();
            const int ready =
                ::poll(polled.data(), polled.size(), static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000)));
            if (ready < 0) continue;
            if (ready == 0) return Event::kTick;
            if (polled[1].revents != 0) return Event::kFailed;
            const int signal = next_signal();
            if (signal == SIGTERM || signal == SIGINT) return Event::kStop;
            if (signal == SIGHUP) return Event::kReload;
        }
    }
    [[nodiscard]] int next_signal() const {
        signalfd_siginfo info{};
        return ::read(signals_, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
    }

private:
    int signals_ = -1;
    int failed_ = -1;
};

ShardThread::Settings settings_of(const DaemonOptions& options) {
    ShardThread::Settings settings;
    settings.shard.data_dir = options.data_dir;
    settings.shard.message_bytes_max = options.message_bytes;
    settings.shard.heartbeat = milliseconds(options.heartbeat_ms);
    settings.shard.session_lease = milliseconds(options.session_lease_ms);
    settings.shard.resume_grace = milliseconds(options.resume_grace_ms);
    settings.shard.restart_hold = milliseconds(options.restart_hold_ms);
    settings.shard.cache_bytes_max = options.cache_bytes;
    settings.shard.scrub_interval = milliseconds(options.scrub_interval_ms);
    settings.shard.disk_reserve_bytes = options.disk_reserve_bytes;
    settings.shard.queue_defaults = options.queue_defaults;
    settings.log.dir = options.data_dir + "/shard-0";
    settings.log.segment_bytes = options.segment_bytes;
    settings.log.salt_seed = system_entropy();
    settings.router.body_bytes_max = std::max<std::size_t>(options.message_bytes, limits::kBatchBytesMax);
    settings.router.connections.connections_max = options.connections_max;
    settings.router.connections.hello_timeout = milliseconds(options.hello_timeout_ms);
    settings.router.connections.unseen_bytes_max = 2 * settings.router.body_bytes_max + limits::kSessionPutWindowBytes;
    settings.listen = options.listen;
    return settings;
}

/// libzmq's context with everything in it that must outlive the sockets.
struct Zmq {
    void* context = zmq_ctx_new();
    Zap zap;
    Zmq(const UserBook& users, Refusals& refusals) : zap(context, users, refusals) {
        zmq_ctx_set(context, ZMQ_IO_THREADS, 1);
        constexpr int kZeroCopyReceive = 10;  // not in zmq.h: an optimisation only, off where it can be set
        zmq_ctx_set(context, kZeroCopyReceive, 0);
    }
};

/// A second signal to stop, or a drain that hangs, ends the process at once: everything confirmed is durable already.
void watch_for_second_signal(const Events& events) {
    std::thread([&events] {
        while (events.next_signal() == SIGHUP) {
        }
        ::_exit(1);
    }).detach();
}

http::Pages admin_pages(const DaemonOptions& options, ShardThread& shard) {
    const AdminPages pages(
        {.health = [&shard] { return shard.health(); },
         .sample = [&shard](SampleQuery query) { return shard.sample(std::move(query), kSampleWait); },
         .log_dropped = service::dropped_log_lines,
         .queue_series_max = options.queue_series_max});
    return
        [pages](std::string_view path, const http::Parameters& parameters) { return pages.answer(path, parameters); };
}

/// Nobody asked for the default address: another program there costs the admin port, not the queues.
Result<void> start_http(const DaemonOptions& options, http::HttpServer& port) {
    if (!http::wants_http(options.http)) return {};
    const auto address = http::check_http_address(options.http, options.insecure);
    if (!address) return fail(address.error());
    const auto started = port.start(*address);
    if (!started && options.http_asked) return started;
    if (started) {
        log_line(spdlog::level::info, "http.ready", "admin port: http://" + port.endpoint());
    } else {
        log_line(spdlog::level::warn, "http.none", "no admin port: " + started.error().message());
    }
    return {};
}

/// The manager is told that a replay takes longer only as long as it goes on.
std::function<void()> replay_teller() {
    const auto tell = [](std::uint64_t records) {
        service::notify_status("replaying: " + std::to_string(records) + " records");
        service::notify_extend(kReplayExtends);
    };
    return [progress = ReplayProgress(system_clock(), tell)]() mutable { progress.record(); };
}

std::string ready_status(const ShardThread::Pulse& pulse) {
    return "ready: " + std::to_string(pulse.queues) + " queues, " + std::to_string(pulse.connections) + " clients";
}

/// Serves until a signal to stop, or the log's failure: what the main thread does meanwhile.
Events::Event attend(const Invocation& invocation, Configuration& running, const Events& events, Served served) {
    ShardThread& shard = served.shard;
    service::Watchdog watchdog(service::watchdog_interval(), system_clock().now(), shard.pulse().turned);
    std::string status = ready_status(shard.pulse());
    service::notify_ready(status);
    for (;;) {
        const Instant now = system_clock().now();
        const Events::Event event = events.wait(std::min(now + kTickEvery, watchdog.ask_at(now)));
        if (event == Events::Event::kStop || event == Events::Event::kFailed) return event;
        if (event == Events::Event::kReload) {
            service::notify_reloading();
            reload(invocation, running, served);
            service::notify_ready(status);
        }
        const ShardThread::Pulse pulse = shard.pulse();
        if (watchdog.due(system_clock().now(), pulse.turned)) service::notify_watchdog();
        if (std::exchange(status, ready_status(pulse)) != status) service::notify_status(status);
        service::report_dropped_log_lines();
    }
}

/// What the start found that somebody should know of, although it could go on.
void tell_recovery(const log::Recovery& recovery) {
    if (recovery.torn_bytes > 0) {
        log_line(spdlog::level::warn, "log.torn",
                 fmt::format("{} bytes at the end of the log were never confirmed and are cut: {}", recovery.torn_bytes,
                             recovery.torn));
    }
    for (const log::Repaired& repaired : recovery.repairs) {
        const bool checkpoint = repaired.repair.kind == log::Repair::Kind::kSetAside;
        const bool mark = repaired.repair.kind == log::Repair::Kind::kMakeMark;
        log_line(repaired.quarantined() || mark ? spdlog::level::warn : spdlog::level::info,
                 checkpoint ? "checkpoint.damaged"
                 : mark     ? "mark.missing"
                            : "log.repaired",
                 repaired.text());
    }
}

void tell_ready(const DaemonOptions& options, const ShardThread& shard) {
    std::string where;
    for (const std::string& endpoint : shard.endpoints()) where += " " + endpoint;
    tell_recovery(shard.shard().recovery());
    log_line(spdlog::level::info, "ready",
             fmt::format("ready: {} queues, {} messages, start {} of {}", shard.pulse().queues,
                         shard.shard().recovered_messages(), shard.shard().boot(), options.data_dir));
    std::printf("telpherd: ready%s\n", where.c_str());
    if (options.dev) std::printf("export TELPHER_SERVER=%s\n", shard.endpoints().front().c_str());
    std::fflush(stdout);
}

Result<int> serve(const Invocation& invocation, Configuration& running, const Events& events) {
    const DaemonOptions& options = running.options;
    if (auto done = prepare_dir(options.data_dir); !done) return fail(done.error());
    auto lock = log::DirLock::take(options.data_dir);
    if (!lock) return fail(lock.error());
    // libzmq draws its routing ids from rand() and never seeds it: a peer that can guess one can abort the process.
    std::srand(static_cast<unsigned>(system_entropy()));
    auto door = std::make_unique<Door>();
    if (auto done = door->open(options); !done) return fail(done.error());
    auto zmq = std::make_unique<Zmq>(door->users(), door->refusals());
    if (auto done = zmq->zap.start(); !done) return fail(done.error());
    ShardThread shard(zmq->context, log::posix_file_system(), system_clock(), door->users(),
                      [&events] { events.tell_failed(); });
    const auto trouble = [](const std::string& text) {
        log_line(spdlog::level::warn, "http.failed", "admin port: " + text);
    };
    http::HttpServer admin_port(admin_pages(options, shard), trouble, system_clock());
    if (auto done = start_http(options, admin_port); !done) return fail(done.error());
    service::notify_status("replaying");
    ShardThread::Settings settings = settings_of(options);
    settings.on_replayed = replay_teller();
    settings.router.server_secret = door->server_secret();
    settings.router.refusals = &door->refusals();
    if (auto done = shard.start(std::move(settings)); !done) return fail(done.error());
    tell_ready(options, shard);
    const bool failed = attend(invocation, running, events, {shard, *door}) == Events::Event::kFailed;
    service::notify_stopping("draining");
    log_line(failed ? spdlog::level::err : spdlog::level::info, failed ? "log.failed" : "draining",
             failed ? "the log failed, stopping: " + shard.health().failure : "draining; a second signal stops now");
    watch_for_second_signal(events);
    auto stopped = shard.stop();
    admin_port.stop();
    if (!stopped) return fail(stopped.error());
    log_line(spdlog::level::info, "stopped", "stopped");
    return 0;
}

void remove_dev_dir(const DaemonOptions& options) {
    std::error_code ignored;
    if (options.dev) std::filesystem::remove_all(options.data_dir, ignored);
}

}  // namespace

int exit_status(Code code) {
    switch (code) {
        case Code::kOk:
            return 0;
        case Code::kUsage:
            return 64;
        case Code::kCorrupt:
        case Code::kFormat:
            return 65;
        case Code::kNotFound:
            return 66;
        case Code::kAddressInUse:
            return 69;
        case Code::kIo:
        case Code::kStorage:
        case Code::kDiskFull:
            return 74;
        case Code::kLocked:
            return 75;
        case Code::kConfig:
            return 78;
        default:
            return 1;
    }
}

int run_daemon(const Invocation& invocation) {
    Configuration running = configure(invocation);
    if (!running.resolved.ok()) return print_problems(running.resolved.problems);
    DaemonOptions& options = running.options;
    const Events events;  // before any thread, the log's too
    service::start_logging("telpherd", options.log_format, service::log_level(options.log_level));
    const auto prepared = [&]() -> Result<void> {
        if (options.dev) {
            auto dir = make_dev_dir();
            if (!dir) return fail(dir.error());
            options.data_dir = *dir;
            const bool given = running.resolved.given(daemon_table().settings(), "listen.client");
            if (!given) options.listen = {"ipc://" + *dir + "/telpher.sock"};
        }
        return raise_descriptors(options.connections_max);
    }();
    Result<int> served = prepared ? serve(invocation, running, events) : fail(prepared.error());
    remove_dev_dir(options);
    if (!served) log_line(spdlog::level::err, "failed", served.error().message());
    service::stop_logging(kLogEndsWithin);
    std::fflush(stdout);
    // Everything confirmed is durable; libzmq's tear-down has races we need not meet.
    ::_exit(served ? *served : exit_status(served.error().code()));
}

}  // namespace telpher::broker
