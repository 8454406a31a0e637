// Runs a shard: its thread, its commit thread, its readers, and the way the others wake it. Made by the daemon's main
// thread; start() returns when the endpoints are bound, stop() when the threads are joined.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "broker/health.h"
#include "broker/mailbox.h"
#include "broker/router.h"
#include "broker/sample_inbox.h"
#include "broker/shard.h"
#include "broker/user_book.h"
#include "proto/session/wake.h"

namespace telpher::broker {

class ShardThread {
public:
    struct Settings {
        ShardSettings shard;
        log::LogOptions log;
        RouterSettings router;
        std::vector<std::string> listen;
        Duration drain_max = std::chrono::seconds(5);
        std::function<void()> on_replayed{};  ///< As Shard::Seams has it; called by start().
    };

    /// How the shard does, as of its last round.
    struct Pulse {
        Instant turned;  ///< When its loop began a round. It sleeps half a second at most: one that stays hangs.
        std::size_t queues = 0;
        std::size_t connections = 0;
    };

    /// `on_failed` is called once, by the shard's thread, if the shard stopped for good: health() says why. `context`
    /// (libzmq's), `files` and `users` outlive the object.
    ShardThread(void* context, log::FileSystem& files, const Clock& clock, const UserBook& users,
                std::function<void()> on_failed);
    ~ShardThread();
    ShardThread(const ShardThread&) = delete;
    ShardThread& operator=(const ShardThread&) = delete;

    /// Replays the log, binds, starts. Errors: those of Log::open() and Router::listen().
    Result<void> start(Settings settings);
    /// There are other users in the book.
    void users_changed() { wake_.notify(); }
    /// Drains (clients are told, what is confirmed is committed, an end mark is written) and joins. The error that
    /// stopped the shard, if one did.
    Result<void> stop();

    /// The shard goes on with these from its next round. Any thread.
    void change(const LiveSettings& live);
    /// Any thread.
    [[nodiscard]] Pulse pulse() const;

    [[nodiscard]] const std::vector<std::string>& endpoints() const { return router_->endpoints(); }
    [[nodiscard]] const Shard& shard() const { return *shard_; }

    // For the admin port; any thread, from construction on.
    [[nodiscard]] Health health() const;
    /// Asks the shard for a sample, which takes it a few turns. kBusy: it does not run, or too many ask; kTimeout.
    Result<Sample> sample(SampleQuery query, Duration timeout);

private:
    void run();
    void take_mail();
    void tell_size();
    void run_commits();
    std::size_t step(Instant now);
    std::size_t serve_samples();
    void look_up_users();
    void sleep();
    void note_departures();
    void tell_of_disk();
    void tell_of_checkpoints();
    void tell_of_failure();
    void give_memory_back();
    void drain();
    void cycle_until(const std::function<bool()>& done, Instant deadline);

    void* context_;
    log::FileSystem& files_;
    const Clock& clock_;
    const UserBook& users_;
    const std::function<void()> on_failed_;
    Duration drain_max_{};
    session::Wake wake_;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> commits_stopping_{false};
    Mailbox<LiveSettings> mail_;
    std::atomic<std::size_t> queues_{0};
    std::atomic<std::size_t> connections_seen_{0};
    // What health() tells.
    std::atomic<std::int64_t> turned_ns_{0};
    std::atomic<bool> replayed_{false}, bound_{false}, disk_is_full_{false}, log_waits_{false}, failed_{false};
    std::string failure_;  // set before failed_ is, constant then
    SampleInbox inbox_;
    TimeHistogram loop_lag_;  // of the shard thread, as what follows
    Duration slept_{0};       // in this turn
    std::unique_ptr<Router> router_;
    std::unique_ptr<Shard> shard_;
    std::size_t work_since_trim_ = 0;  // of the shard thread, as those below: what was seen last
    std::size_t connections_ = 0;
    bool disk_full_ = false;
    bool waits_for_room_ = false;
    std::uint64_t checkpoints_failed_ = 0;
    std::uint64_t users_generation_ = 0;
    std::thread thread_;
    std::thread commit_thread_;
};

}  // namespace telpher::broker
