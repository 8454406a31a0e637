#include "consumer/worker_process.h"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "consumer/crash_mark.h"
#include "consumer/heir.h"
#include "consumer/queue_access.h"
#include "proto/base/units.h"

namespace telpher::consumer {
namespace {

using namespace std::chrono_literals;

constexpr auto kNextGeneration = 1s;    // how often a drained queue is looked at by who works for ever
constexpr Millis kInheritTimeout = 3s;  // longer than the broker waits for the dead to come back

thread_local unsigned handler_thread = 0;

v1::Settle::Verdict to_wire(Verdict::Kind kind) {
    switch (kind) {
        case Verdict::Kind::kAck:
            return v1::Settle::VERDICT_ACK;
        case Verdict::Kind::kNack:
            return v1::Settle::VERDICT_NACK;
        case Verdict::Kind::kDead:
            return v1::Settle::VERDICT_DEAD;
        case Verdict::Kind::kRelease:
            break;
    }
    return v1::Settle::VERDICT_RELEASE;
}

}  // namespace

/// Keeps the table, and holds threads back while they must not begin.
class WorkerProcess::Hooks final : public PoolHooks {
public:
    explicit Hooks(WorkerProcess& of) : of_(of), marked_(of.options_.threads), alone_(of.options_.threads) {}

    void thread_begins(unsigned thread) override {
        handler_thread = thread;
        if (of_.handling_.in_process()) marked_[thread] = std::make_unique<MarkedThread>(thread);
    }
    void thread_ends(unsigned thread) noexcept override {
        of_.handling_.thread_ends(thread);
        marked_[thread].reset();
    }
    void before_next() override { (void)of_.gate_.pass(of_.token()); }
    bool begins(unsigned thread, const Message& message) override {
        // Others may have begun a pause or used up the memory while this thread waited for its message.
        if (!of_.gate_.pass(of_.token())) return false;
        if (of_.handling_.in_process()) {
            alone_[thread] = of_.table_.suspects(message.id()) ? 1 : 0;
            if (!of_.solo_.enter(alone_[thread] != 0, of_.token())) return false;
            if (!of_.warden_.may_begin()) {
                of_.solo_.leave(alone_[thread] != 0);
                return false;
            }
        }
        of_.table_.begin(thread, message.id(), message.delivery(), system_clock().now());
        return true;
    }
    void decided(unsigned thread, const Verdict& verdict) override {
        std::optional<std::uint64_t> delay_ms;
        if (verdict.delay) delay_ms = static_cast<std::uint64_t>(std::max(*verdict.delay, Millis(0)).count());
        of_.table_.decide(thread, to_wire(verdict.kind), system_clock().now(), delay_ms);
        if (of_.handling_.in_process()) of_.solo_.leave(alone_[thread] != 0);
    }
    void delivered(std::uint64_t first, std::uint32_t count, std::uint32_t delivery) override {
        of_.table_.delivered(first, count, delivery);
    }

private:
    WorkerProcess& of_;
    std::vector<std::unique_ptr<MarkedThread>> marked_;  // each by its own thread
    std::vector<char> alone_;                            // each by its own thread
};

WorkerProcess::WorkerProcess(const WorkOptions& options, LeaseTable& table, Handling& handling,
                             std::function<void(const std::string&)> note)
    : options_(options),
      table_(table),
      handling_(handling),
      note_(std::move(note)),
      gate_(system_clock()),
      warden_(table, {options.drain, handling.time_limit(), handling.rss_max(), note_},
              {[this] {
                   if (!handling_.in_process()) return handling_.hand_back();
                   // Threads cannot be ended from outside: the process goes, and its heir hands back what they had.
                   table_.set_phase(Phase::kLeft);
                   ::_exit(0);
               },
               [this] {
                   table_.set_phase(Phase::kLeft);
                   handling_.kill_all();
               }}) {
    if (handling.in_process()) mark_crashes(table);
}

Result<Code> WorkerProcess::run(const Open& open) {
    auto opened = open(token());
    if (!opened) {
        table_.set_phase(Phase::kLeft);
        return fail(opened.error());
    }
    queue_.emplace(std::move(*opened));
    RunOptions run;
    run.threads = options_.threads;
    run.prefetch = options_.prefetch;
    run.stop = token();
    run.idle = options_.idle;
    run.messages_max = options_.messages_max;
    Hooks hooks(*this);
    table_.set_phase(Phase::kTaking);
    RunResult result;
    do {
        result = QueueAccess::run(
            *queue_, run, [this](Message& message) { return handling_.handle(handler_thread, message); }, hooks);
    } while (result.ended == Code::kEnd && options_.forever && wait_next_generation());
    if (result.ended == Code::kEnd && options_.forever) result.ended = Code::kStopped;  // between two generations
    if (result.ended == Code::kOk) table_.set_recycle();
    table_.set_ended(result.ended);
    table_.set_phase(Phase::kLeft);
    return result.ended;
}

/// False: told to stop.
bool WorkerProcess::wait_next_generation() {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, token(), kNextGeneration, [] { return false; });
    return !token().stop_requested();
}

void WorkerProcess::pause(Instant begun) {
    const Duration length = gate_.away(begun);
    if (length > Duration::zero() && note_)
        note_("a handler says that what it needs is away; pausing for " +
              format_duration(std::chrono::duration_cast<Millis>(length)));
}

void inherit(Queue& queue, const LeaseTable& table, const std::function<void(const std::string&)>& note) {
    for (const LeaseTable::Running& running : table.running()) {
        if (running.cause != Cause::kNone && note)
            note(queue.name() + ": message " + std::to_string(running.offset) + ": " +
                 reason_of(running.cause, running.detail));
    }
    (void)settle_for(queue, table, kInheritTimeout);
}

}  // namespace telpher::consumer
