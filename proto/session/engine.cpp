#include "proto/session/engine.h"

#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <csignal>
#include <ctime>
#include <span>
#include <utility>

#include "proto/session/convert.h"

namespace telpher::session {
namespace {

using namespace std::chrono_literals;

/// How long a client that leaves waits for the broker to have heard it.
constexpr Duration kByeTimeout = 200ms;
/// The engine looks around at least this often.
constexpr Duration kSleepMax = 1h;

/// What a thread waits for that another one does.
class Done {
public:
    void set(Result<void> result) {
        const std::lock_guard lock(mutex_);
        result_ = std::move(result);
        changed_.notify_all();
    }
    Result<void> wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return result_.has_value(); });
        return *result_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<Result<void>> result_;
};

Error closed_error() { return Error(Code::kStopped, "the client was closed"); }

/// A thread that no signal interrupts: those are for the program's own threads.
std::unique_ptr<std::thread> start_quietly(std::function<void()> body) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    auto thread = std::make_unique<std::thread>(std::move(body));
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_setname_np(thread->native_handle(), "telpher-engine");
    return thread;
}

}  // namespace

Engine::Engine(Config config, std::unique_ptr<TransportFactory> transports, const Clock& clock)
    : clock_(clock),
      connect_timeout_(config.connect_timeout),
      core_(std::make_unique<Core>(std::move(config.core), std::move(transports))),
      wake_(std::make_unique<Wake>()),
      thread_(start_quietly([this] { run(); })) {}

Engine::~Engine() {
    if (!forked()) {
        close();
        return;
    }
    // The thread is not there, and closing what it owns would wait for it.
    static_cast<void>(thread_.release());
    static_cast<void>(core_.release());
    static_cast<void>(wake_.release());
}

void Engine::close() {
    {
        const std::lock_guard lock(inbox_mutex_);
        stop_ = true;
    }
    wake_->notify();
    leading_.stop();
    if (thread_->joinable()) thread_->join();
}

Instant Engine::deadline_of(Millis timeout) const {
    constexpr Millis kLongest = std::chrono::hours(24 * 365 * 100);
    return timeout > kLongest ? Instant::never() : clock_.now() + timeout;
}

// --- handing over ---

void Engine::ready(Part& part) {
    if (part.ready_.exchange(true)) return;
    {
        const std::lock_guard lock(inbox_mutex_);
        if (closed_) return;
        ready_.push_back(part.shared_from_this());
    }
    wake_->notify();
}

bool Engine::post(std::function<void()> task) {
    {
        const std::lock_guard lock(inbox_mutex_);
        if (closed_) return false;
        inbox_.push_back(std::move(task));
    }
    wake_->notify();
    return true;
}

bool Engine::run_there(const std::function<void()>& task) {
    const auto done = std::make_shared<Done>();
    const bool posted = post([&task, done] {
        task();
        done->set({});
    });
    return posted && done->wait().has_value();
}

Result<void> Engine::run_call(PendingRequest request, const CallOptions& options) {
    if (forked()) return fail(Code::kForked, "made before fork()");
    const auto done = std::make_shared<Done>();
    const auto id = std::make_shared<Requests::CallId>(0);
    request.deadline = deadline_of(options.timeout);
    request.reach_by = deadline_of(connect_timeout_);
    request.done = [done](Result<void> result) { done->set(std::move(result)); };
    if (!post([this, id, request = std::move(request)] { *id = core_->request(request); })) return fail(closed_error());
    const std::stop_callback stop(options.stop, [this, id] {
        post([this, id] { core_->give_up(*id, Error(Code::kStopped, "asked to stop")); });
    });
    return done->wait();
}

Result<std::shared_ptr<QueueLink>> Engine::open(const std::string& name, const QueueOptions& options,
                                                const CallOptions& call) {
    if (!frame::legal_name(name)) return fail(Code::kBadName, name);
    auto link = std::make_shared<QueueLink>(*core_, name);
    v1::Open open;
    open.set_name(name);
    open.set_create(options.create);
    open.set_wait(options.wait);
    *open.mutable_options() = to_wire(options);
    PendingRequest pending;
    pending.op = v1::OP_OPEN;
    pending.leave = options.wait;
    pending.encode = [&open](std::uint64_t req, Epoch epoch, HandleId /*handle*/) {
        open.set_req(req);
        open.set_epoch(epoch.value());
        return frame::encode(v1::OP_OPEN, open);
    };
    pending.answer = [this, &link](const Frame& frame) { core_->opened(link, frame.as<v1::Opened>()); };
    if (const auto done = run_call(std::move(pending), call); !done) return fail(done.error());
    return link;
}

void Engine::add(std::shared_ptr<QueueLink> link, std::shared_ptr<Part> part) {
    if (forked()) return;
    const auto held = part;
    if (post([this, link = std::move(link), part = std::move(part)] { core_->add(link, part); })) return;
    held->on_failed(closed_error());
}

void Engine::remove(const std::shared_ptr<Part>& part) {
    if (!forked()) run_there([this, &part] { core_->remove(*part); });
}

void Engine::release(std::shared_ptr<QueueLink> link) {
    if (!forked()) post([this, link = std::move(link)] { core_->release(link); });
}

std::vector<std::shared_ptr<Part>> Engine::parts() {
    std::vector<std::shared_ptr<Part>> parts;
    if (!forked()) run_there([this, &parts] { parts = core_->parts(); });
    return parts;
}

void Engine::drive(Part& part) {
    bool more = false;
    {
        const std::unique_lock cycle(cycle_mutex_, std::try_to_lock);
        if (!cycle || left_) {
            ready(part);
            return;
        }
        core_->work(part, clock_.now());
        // What was sent here may have used up what would have woken the engine.
        more = (core_->transport() != nullptr && core_->transport()->readable()) || core_->next_due() < sleeps_until_;
    }
    if (more) wake_->notify();
}

void Engine::wait(const std::function<bool()>& done, Instant deadline, const std::function<void()>& park) {
    if (forked()) return park();
    const Leading::Waiting waiting(leading_);
    if (leading_.begin()) lead(done, deadline);
    if (!done()) park();
}

void Engine::lead(const std::function<bool()>& done, Instant deadline) {
    const Instant end = std::min(deadline, clock_.now() + Leading::kLead);
    Core::Arrived arrived{false, false};  // what came in before, polling tells
    bool came = false;
    while (!stopping()) {
        cycle(arrived);
        came = done();
        if (came || clock_.now() >= end) break;
        arrived = poll_until(end);
    }
    leading_.end(came);
}

// --- the thread ---

bool Engine::stopping() {
    const std::lock_guard lock(inbox_mutex_);
    return stop_;
}

void Engine::run() {
    Core::Arrived arrived;
    while (!stopping()) {
        cycle(arrived);
        arrived = sleep();
    }
    leave();
}

/// One turn: what came in, what user threads want, what time wants.
void Engine::cycle(Core::Arrived arrived) {
    const std::lock_guard engine(cycle_mutex_);
    const Instant now = clock_.now();
    core_->do_work(now, arrived);
    {
        const std::lock_guard lock(inbox_mutex_);
        tasks_.swap(inbox_);
        working_.swap(ready_);
    }
    for (const auto& task : tasks_) task();
    for (const auto& part : working_) {
        part->ready_.store(false);  // Before its work: what is handed over from here on makes it ready again.
        core_->work(*part, now);
    }
    tasks_.clear();
    working_.clear();
}

/// Sleeps until there is something to do; says what may have come in.
Core::Arrived Engine::sleep() {
    if (!leading_.wanted()) return poll_until(Instant::never());
    leading_.doze();
    return {};  // both may have: that is what no answer means
}

/// Polls until there is something to do, at most until `limit`. One thread at a time: the engine's or a leader.
Core::Arrived Engine::poll_until(Instant limit) {
    wake_->prepare();
    std::array<pollfd, 3> fds{pollfd{wake_->fd(), POLLIN, 0}};
    std::size_t count = 1;
    Duration left{0};
    bool readable = false;
    {
        const std::lock_guard engine(cycle_mutex_);
        if (Transport* transport = core_->transport(); transport != nullptr) {
            fds[count++] = {transport->message_fd(), POLLIN, 0};
            fds[count++] = {transport->news_fd(), POLLIN, 0};
            readable = transport->readable();
        }
        sleeps_until_ = std::min({core_->next_due(), limit, clock_.now() + kSleepMax});
        left = std::max(sleeps_until_ - clock_.now(), Duration{0});
    }
    {
        const std::lock_guard lock(inbox_mutex_);
        if (stop_ || readable || !inbox_.empty() || !ready_.empty()) left = Duration{0};
    }
    poll_.wait(std::span(fds).first(count), left);
    wake_->awake();
    if (fds[0].revents != 0) wake_->clear();
    return {fds[2].revents != 0, readable || fds[1].revents != 0};
}

/// BYE, and a moment for it to go out; then nobody waits any more.
void Engine::leave() {
    const std::lock_guard engine(cycle_mutex_);
    left_ = true;
    const bool said = core_->say_bye();
    const Instant end = clock_.now() + kByeTimeout;
    while (said && core_->transport() != nullptr && clock_.now() < end) {
        const std::array<int, 2> fds{core_->transport()->message_fd(), core_->transport()->news_fd()};
        std::array<pollfd, 2> polled{pollfd{fds[0], POLLIN, 0}, pollfd{fds[1], POLLIN, 0}};
        const bool more = core_->transport()->readable();
        const timespec timeout{0, std::max(end - clock_.now(), Duration{0}).count()};
        if (!more) ppoll(polled.data(), polled.size(), &timeout, nullptr);
        core_->do_work(clock_.now());
    }
    {
        const std::lock_guard lock(inbox_mutex_);
        closed_ = true;
        tasks_.swap(inbox_);
        ready_.clear();
    }
    for (const auto& task : tasks_) task();
    tasks_.clear();
    core_->shut(closed_error());
}

}  // namespace telpher::session
