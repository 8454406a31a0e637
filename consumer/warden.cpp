#include "consumer/warden.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <string_view>
#include <utility>

#include "proto/base/check.h"

namespace telpher::consumer {
namespace {

using namespace std::chrono_literals;

// A terminal, a shell and timeout(1) may each send a signal for the same request to stop.
constexpr Duration kSameRequest = 250ms;
constexpr int kLimitsEveryMs = 20;

}  // namespace

std::uint64_t own_rss() {
    static const int fd = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    std::array<char, 128> text{};
    const ssize_t got = ::pread(fd, text.data(), text.size(), 0);
    if (got <= 0) return 0;
    const std::string_view line(text.data(), static_cast<std::size_t>(got));
    const std::size_t blank = line.find(' ');
    std::uint64_t pages = 0;
    if (blank == std::string_view::npos) return 0;
    std::from_chars(line.data() + blank + 1, line.data() + line.size(), pages);
    return pages * page;
}

Warden::Warden(LeaseTable& table, Options options, Orders orders)
    : table_(table), options_(std::move(options)), orders_(std::move(orders)) {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM}) sigaddset(&set, number);
    TELPHER_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
    signal_fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    quit_fd_ = ::eventfd(0, EFD_CLOEXEC);
    TELPHER_CHECK_MSG(signal_fd_ >= 0 && quit_fd_ >= 0, "no descriptors left");
    (void)own_rss();  // its descriptor is there before memory and descriptors are short
    thread_ = std::thread([this] { watch(); });
}

Warden::~Warden() {
    const std::uint64_t one = 1;
    TELPHER_CHECK(::write(quit_fd_, &one, sizeof one) == sizeof one);
    thread_.join();
    ::close(signal_fd_);
    ::close(quit_fd_);
}

bool Warden::may_begin() {
    if (!hold_.load()) return true;
    std::unique_lock lock(mutex_);
    return changed_.wait(lock, token(), [this] { return !hold_.load(); });
}

void Warden::set_hold(bool hold) {
    const std::lock_guard lock(mutex_);
    hold_.store(hold);
    changed_.notify_all();
}

void Warden::watch() {
    std::array<pollfd, 2> waits{pollfd{signal_fd_, POLLIN, 0}, pollfd{quit_fd_, POLLIN, 0}};
    for (;;) {
        const int came = ::poll(waits.data(), waits.size(), wait_ms(system_clock().now()));
        if (came > 0 && waits[1].revents != 0) return;
        if (came > 0 && waits[0].revents != 0) on_signal();
        const Instant now = system_clock().now();
        if (now >= drain_until_) {
            drain_until_ = Instant::never();
            if (orders_.drain_over) orders_.drain_over();
        }
        if (limited()) check_limits(now);
    }
}

int Warden::wait_ms(Instant now) const {
    if (limited()) return kLimitsEveryMs;
    if (drain_until_ == Instant::never()) return -1;
    return static_cast<int>(std::clamp<std::int64_t>((drain_until_ - now) / 1ms + 1, 0, 60'000));
}

void Warden::on_signal() {
    signalfd_siginfo event{};
    if (::read(signal_fd_, &event, sizeof event) != sizeof event) return;
    const int number = static_cast<int>(event.ssi_signo);
    const Instant now = system_clock().now();
    if (signal_ == 0) {
        first_signal_ = now;
        drain_until_ = options_.drain == kForever ? Instant::never() : now + options_.drain;
        signal_ = number;
        table_.set_leaving();
        stop();
    } else if (now - first_signal_ > kSameRequest) {
        if (orders_.now) orders_.now();
        ::_exit(128 + number);
    }
}

// --- limits ---

void Warden::check_limits(Instant now) {
    if (excess_ == Cause::kNone) look_for_excess(now);
    if (excess_ != Cause::kNone) condemn(now);
}

void Warden::look_for_excess(Instant now) {
    if (options_.time_limit != kForever) {
        for (const LeaseTable::Running& running : table_.running()) {
            if (now < running.since + options_.time_limit) continue;
            excess_ = Cause::kTimeLimit;
            late_ = running.thread;
        }
    }
    if (excess_ == Cause::kNone && options_.rss_max != 0 && own_rss() > options_.rss_max) excess_ = Cause::kRssLimit;
    if (excess_ == Cause::kNone) return;
    others_until_ = now + kOthersMax;
    set_hold(true);
}

// No handler starts any more. The process ends when the one to blame is alone (of those that use too much memory
// together, the last one is), or when the others have had their time; then nobody is, if nobody was found out.
void Warden::condemn(Instant now) {
    const auto running = table_.running();
    const bool rss = excess_ == Cause::kRssLimit;
    const bool over = now >= others_until_;
    const auto blamed = std::find_if(running.begin(), running.end(), [&](const LeaseTable::Running& one) {
        return rss ? running.size() == 1 : one.thread == late_;
    });
    if (running.empty() || (!rss && blamed == running.end())) {  // all came to their end
        if (rss) table_.set_recycle();  // memory that no handler gives back: another process begins with none
        if (rss) stop();
        excess_ = Cause::kNone;
        late_.reset();
        others_until_ = Instant::never();
        if (!rss) set_hold(false);
        return;
    }
    if (running.size() > 1 && !over) return;
    if (blamed != running.end()) {
        const std::uint64_t limit = rss ? options_.rss_max : static_cast<std::uint64_t>(options_.time_limit.count());
        table_.blame(blamed->thread, excess_, limit);
        if (options_.note)
            options_.note("message " + std::to_string(blamed->offset) + ": " + reason_of(excess_, limit));
    }
    ::kill(::getpid(), SIGKILL);
}

}  // namespace telpher::consumer
