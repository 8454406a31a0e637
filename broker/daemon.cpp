#include "broker/daemon.h"

#include <poll.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>

#include "broker/listen_address.h"
#include "broker/log/dir_lock.h"
#include "broker/refusals.h"
#include "broker/user_book.h"
#include "broker/zap.h"
#include "proto/base/random.h"
#include "proto/security/key_file.h"
#include "proto/version.h"

namespace telpher::broker {
namespace {

constexpr rlim_t kDescriptorsWanted = 65'536;

Result<void> raise_descriptors(std::size_t connections_max) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const rlim_t wanted = std::max<rlim_t>(kDescriptorsWanted, connections_max + limits::kDescriptorReserve);
    limit.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, wanted));
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= connections_max + limits::kDescriptorReserve) return {};
    return fail(Code::kConfig, "at most " + std::to_string(limit.rlim_cur) + " descriptors are allowed, but " +
                                   std::to_string(connections_max) + " connections need " +
                                   std::to_string(connections_max + limits::kDescriptorReserve) +
                                   ": raise the hard limit (ulimit -Hn, LimitNOFILE=) or lower --connections-max");
}

Result<void> check_sizes(const DaemonOptions& options) {
    if (options.message_bytes < 1024 || options.message_bytes > limits::kMessageBytesMax) {
        return fail(Code::kConfig, "--message-size is 1KiB to 16MiB");
    }
    // A segment holds its snapshot, one body and what a step may write beside it.
    const std::uint64_t segment_bytes_min = 8 * limits::kMiB + 2 * options.message_bytes;
    if (options.segment_bytes < segment_bytes_min || options.segment_bytes > 1024 * limits::kMiB) {
        return fail(Code::kConfig, "--segment-bytes is " + std::to_string(segment_bytes_min) + " to 1GiB here");
    }
    if (options.session_lease_ms < 2 * options.heartbeat_ms) {
        return fail(Code::kConfig, "--session-lease-ms must be at least twice --heartbeat-ms");
    }
    return {};
}

Result<void> prepare_dir(const std::string& dir) {
    std::error_code error;
    std::filesystem::create_directories(dir, error);
    if (error == std::errc::no_space_on_device) return fail(Code::kDiskFull, "cannot make " + dir);
    if (error) return fail(Code::kIo, "cannot make " + dir + ": " + error.message());
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
    /// Waits for a signal to stop (its number) or a failure (0); does `reload` on each SIGHUP meanwhile.
    [[nodiscard]] int wait(const std::function<void()>& reload) const {
        for (;;) {
            std::array<pollfd, 2> polled{pollfd{signals_, POLLIN, 0}, pollfd{failed_, POLLIN, 0}};
            if (::poll(polled.data(), polled.size(), -1) < 0) continue;
            if (polled[1].revents != 0) return 0;
            const int signal = next_signal();
            if (signal == SIGTERM || signal == SIGINT) return signal;
            if (signal == SIGHUP) reload();
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
    using std::chrono::milliseconds;
    ShardThread::Settings settings;
    settings.shard.data_dir = options.data_dir;
    settings.shard.message_bytes_max = options.message_bytes;
    settings.shard.heartbeat = milliseconds(options.heartbeat_ms);
    settings.shard.session_lease = milliseconds(options.session_lease_ms);
    settings.shard.resume_grace = milliseconds(options.resume_grace_ms);
    settings.shard.restart_hold = milliseconds(options.restart_hold_ms);
    settings.shard.cache_bytes_max = options.cache_bytes;
    settings.shard.disk_reserve_bytes = options.disk_reserve_bytes;
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

/// A second signal, or a drain that hangs, ends the process at once: everything confirmed is durable already.
void watch_for_second_signal(const Events& events) {
    std::thread([&events] {
        static_cast<void>(events.next_signal());
        ::_exit(1);
    }).detach();
}

/// Who may come in. They live as long as the process: what reads them may still run at its end.
struct Door {
    UserBook users;
    Refusals refusals;
    std::string server_secret;  ///< Empty: no keys.

    Result<void> open(const DaemonOptions& options) {
        if (options.server_key.empty()) return {};
        const auto key = security::read_key_file(options.server_key);
        if (!key) return fail(key.error());
        server_secret = key->pair.secret_key;
        return read_users(options);
    }
    /// On an error everything stays as it is.
    Result<void> read_users(const DaemonOptions& options) {
        if (server_secret.empty()) return {};
        auto read = Users::load(options.users_dir);
        if (!read) return fail(read.error());
        const std::size_t count = (*read)->size();
        users.set(std::move(*read));
        spdlog::info("{} users in {}", count, options.users_dir);
        if (count == 0) spdlog::warn("nobody can come in over tcp: `telpher user add NAME` makes a user");
        return {};
    }
};

Result<int> serve(const DaemonOptions& options, const Events& events) {
    if (auto done = prepare_dir(options.data_dir); !done) return fail(done.error());
    auto lock = log::DirLock::take(options.data_dir);
    if (!lock) return fail(lock.error());
    // libzmq draws its routing ids from rand() and never seeds it: a peer that can guess one can abort the process.
    std::srand(static_cast<unsigned>(system_entropy()));
    auto door = std::make_unique<Door>();
    if (auto done = door->open(options); !done) return fail(done.error());
    auto zmq = std::make_unique<Zmq>(door->users, door->refusals);
    if (auto done = zmq->zap.start(); !done) return fail(done.error());
    ShardThread shard(zmq->context, log::posix_file_system(), system_clock(), door->users,
                      [&events] { events.tell_failed(); });
    ShardThread::Settings settings = settings_of(options);
    settings.router.server_secret = door->server_secret;
    settings.router.refusals = &door->refusals;
    if (auto done = shard.start(std::move(settings)); !done) return fail(done.error());
    std::string where;
    for (const std::string& endpoint : shard.endpoints()) where += " " + endpoint;
    spdlog::info("ready: {} queues, {} messages, start {} of {}", shard.shard().queue_count(),
                 shard.shard().recovered_messages(), shard.shard().boot(), options.data_dir);
    std::printf("telpherd: ready%s\n", where.c_str());
    if (options.dev) std::printf("export TELPHER_SERVER=%s\n", shard.endpoints().front().c_str());
    std::fflush(stdout);
    const int signal = events.wait([&] {
        if (auto done = door->read_users(options); !done)
            spdlog::error("reload: {}; nothing was changed", done.error().message());
        shard.users_changed();
    });
    spdlog::info("{}", signal == 0 ? "the log failed: stopping" : "draining; a second signal stops now");
    watch_for_second_signal(events);
    auto stopped = shard.stop();
    if (!stopped) return fail(stopped.error());
    spdlog::info("stopped");
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

int run_daemon(DaemonOptions options) {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("telpherd", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
    spdlog::set_level(spdlog::level::from_str(options.log_level));
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %n %v");
    const Events events;
    const auto prepared = [&]() -> Result<void> {
        if (options.dev) {
            auto dir = make_dev_dir();
            if (!dir) return fail(dir.error());
            options.data_dir = *dir;
            if (options.listen.empty()) options.listen = {"ipc://" + *dir + "/telpher.sock"};
        }
        if (options.listen.empty()) options.listen = {"ipc:///run/telpher/telpher.sock"};
        for (std::string& endpoint : options.listen) {
            auto checked = check_listen_address(endpoint, options.insecure || !options.server_key.empty());
            if (!checked) return fail(checked.error());
            endpoint = *checked;
        }
        if (auto sizes = check_sizes(options); !sizes) return sizes;
        return raise_descriptors(options.connections_max);
    }();
    Result<int> served = prepared ? serve(options, events) : fail(prepared.error());
    remove_dev_dir(options);
    if (!served) spdlog::error("{}", served.error().message());
    spdlog::shutdown();
    std::fflush(nullptr);
    // Everything confirmed is durable; libzmq's tear-down has races we need not meet.
    ::_exit(served ? *served : exit_status(served.error().code()));
}

}  // namespace telpher::broker
