// A shard: one thread's worth of broker. It owns the sessions, the queues placed on it and the shard's end of the log,
// and is an agent: do_work(now) takes a bounded number of frames, applies them, hands records to the commit thread,
// sends what became safe, delivers, runs timers, and returns. No locks, no waiting, no sync, no file read. Tests drive
// it without a thread or a socket.
//
// Life: open() replays the log; then do_work() until finish(). After the log failed nothing is served any more
// (failed()).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "broker/background.h"
#include "broker/core.h"
#include "broker/end_desk.h"
#include "broker/get_desk.h"
#include "broker/put_desk.h"
#include "broker/queue_desk.h"
#include "broker/rewriter.h"
#include "broker/sampler.h"
#include "broker/scrubber.h"
#include "broker/users.h"

namespace telpher::broker {

class Shard {
public:
    struct Seams {
        Transport& transport;
        log::FileSystem& files;
        const Clock& clock;
        /// Ids and tokens: unguessable in a daemon (system_entropy), seeded in a simulation.
        std::function<std::uint64_t()> entropy;
        /// For what takes a disk's time.
        std::function<std::unique_ptr<Background>()> make_background;
        /// Called for each record that open() replays, if there is one.
        std::function<void()> on_replayed{};
        Refusals* refusals = nullptr;  ///< May be nullptr.
    };

    /// Opens the log and replays it. Errors: those of Log::open().
    static Result<std::unique_ptr<Shard>> open(ShardSettings settings, log::LogOptions log_options, Seams seams);
    ~Shard();

    /// One cycle; returns how much was done (0 = idle).
    std::size_t do_work(Instant now);
    /// When do_work() has something to do even if nothing happens.
    [[nodiscard]] Instant next_timer() const;

    /// Who may come in and do what, from now on (before the first call: everybody everything). Sessions of users that
    /// are gone are ended; of those that have lost a right they use, the connection: the client opens again what it
    /// still may.
    void set_users(std::shared_ptr<const Users> users);

    /// Goes on with other settings; queues that are there keep their options.
    void change(const LiveSettings& live);

    /// Takes no more puts and hands out no more messages; tells clients to come back later.
    void drain();
    /// Nothing waits for the log any more.
    [[nodiscard]] bool quiet() const;
    /// Writes the end mark; the caller lets the committer finish and checks failed().
    void finish();

    [[nodiscard]] log::Log& log() { return *log_; }
    [[nodiscard]] std::optional<Error> failed() const;
    /// Puts to queues that are not in memory only are refused for want of room.
    [[nodiscard]] bool disk_full() const;
    [[nodiscard]] const log::Recovery& recovery() const { return log_->recovery(); }
    [[nodiscard]] std::uint64_t recovered_messages() const { return recovered_messages_; }
    [[nodiscard]] std::uint64_t boot() const { return boot_; }
    struct CheckpointFigures {
        std::uint64_t written = 0;  ///< Since the start.
        std::uint64_t failed = 0;
        std::uint64_t bytes = 0;  ///< Of the last one.
        std::string last_error;   ///< Of the last that failed.
    };
    [[nodiscard]] const CheckpointFigures& checkpoints() const { return checkpoints_; }
    [[nodiscard]] const Rewriter& rewriter() const { return *rewriter_; }
    [[nodiscard]] const Scrubber& scrubber() const { return *scrubber_; }
    /// Frames are not taken now, however many there are: a commit that goes on comes first.
    [[nodiscard]] bool frames_wait() const { return cycle_bytes() == 0; }
    [[nodiscard]] std::size_t queue_count() const { return catalog_.size(); }
    /// Looks at a bounded part of what the job asks for; true: all of it was looked at.
    bool sample(SampleJob& job);

private:
    Shard(ShardSettings settings, Seams seams);
    Result<void> replay(log::LogOptions options);
    void begin_boot();
    void wire();
    std::size_t take_frames();
    [[nodiscard]] std::size_t cycle_bytes() const;
    void take(const Incoming& incoming);
    Result<void> dispatch(Session& session, v1::Op op, const Incoming& incoming);
    void hello(const Incoming& incoming);
    Session* resumed(const v1::Hello& message, const Incoming& incoming, const std::string& user);
    void review(Session& session);
    v1::HelloOk hello_ok(const Session& session, bool resumed) const;
    void status(Session& session, const v1::Status& request);
    void bye(Session& session);
    void end(Session& session);
    void lost_connection(PeerId peer);
    std::size_t take_gone();
    std::size_t run_finished();
    std::size_t look_after_queues();
    std::size_t run_gate();
    void run_timers();
    [[nodiscard]] bool checkpoint_due() const;
    [[nodiscard]] std::vector<std::string> checkpoint_parts() const;
    void begin_checkpoint();
    void checkpoint_done(const Result<std::uint64_t>& written);
    void want_mark(HostedQueue& queue);
    void log_marks(bool now);
    static void mark(HostedQueue& queue, log::v1::MarkMeta& meta);
    void allow_marked(QueueId id, Offset end);
    void maintain();
    void look_at_disk();
    [[nodiscard]] std::optional<std::uint64_t> room() const;
    [[nodiscard]] Result<void> check_room() const;
    void fail_all(const Error& error);

    ShardSettings settings_;
    Seams seams_;
    Sessions sessions_;
    Catalog catalog_;
    BatchStore store_;
    CommitGate gate_;
    std::unique_ptr<log::Log> log_;
    std::unique_ptr<Journal> journal_;
    std::unique_ptr<Core> core_;
    std::unique_ptr<GetDesk> gets_;
    std::unique_ptr<PutDesk> puts_;
    std::unique_ptr<EndDesk> ends_;
    std::unique_ptr<QueueDesk> queues_;
    std::unique_ptr<Sampler> sampler_;
    std::unique_ptr<Rewriter> rewriter_;
    std::unique_ptr<Scrubber> scrubber_;

    std::uint64_t segment_bytes_ = 0;
    bool disk_due_ = false;  // look at the disk in this cycle
    std::uint64_t boot_ = 0;
    std::uint64_t boot_id_ = 0;
    std::uint64_t recovered_messages_ = 0;
    Instant started_;
    Instant maintain_at_;
    Instant marks_at_ = Instant::never();
    std::vector<QueueId> marked_;  ///< Queues whose delivered mark moved since it was logged.
    CheckpointFigures checkpoints_;
    bool checkpoint_running_ = false;
    Instant checkpoint_at_;              ///< When the last one was begun ...
    std::uint64_t checkpoint_cost_ = 0;  ///< ... and the journal's replay cost then.
    std::optional<Error> failed_;
    bool ended_ = false;
    std::unique_ptr<Background> background_;  ///< Last: its jobs use what is above.
};

}  // namespace telpher::broker
