// A run of the simulation: one broker, some queues, producers, consumers and watchers, and a seeded hand that decides
// what happens next: a client's step, a cycle of the shard, a round of the commit thread, time, or a fault. Each seed
// draws its own mixture of faults. After every event the oracle looks at what was sent and at how the queues stand. A
// run is over when enough was simulated; then everything heals, is drained and sealed, and the power fails once more.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "tests/sim/sim_consumer.h"
#include "tests/sim/sim_follower.h"
#include "tests/sim/sim_producer.h"
#include "tests/sim/sim_watcher.h"

namespace telpher::sim {

/// What a run has done at least before it heals.
struct Goals {
    std::uint64_t simulated_ms = 60'000;
    std::uint64_t operations = 5'000;
    std::uint64_t faults = 20;
};

/// The nth operation of that kind on files fails, once; 0: none does.
struct FileFault {
    test::FaultyFileSystem::Op op = test::FaultyFileSystem::Op::kWrite;
    std::uint64_t nth = 0;
    Code code = Code::kIo;
};

class World {
public:
    /// Everything follows from the seed. What happened is added to `marks`. With `only`, nothing else goes wrong.
    World(std::uint64_t seed, Marks& marks, const Goals& goals = Goals(), std::optional<FileFault> only = {});

    /// Writes down what happens.
    void tell(std::ostream& out) { oracle_.tell(out); }
    /// Runs to the end or to the first violation; returns that, or an empty text.
    std::string run();
    /// The violation is a confirmed message that is gone.
    [[nodiscard]] bool lost() const { return oracle_.lost(); }
    /// A hash over every frame the broker sent.
    [[nodiscard]] std::uint64_t trace() const { return trace_; }
    [[nodiscard]] const Work& work() const { return work_; }
    [[nodiscard]] const Oracle& oracle() const { return oracle_; }
    [[nodiscard]] const test::FaultyFileSystem& files() { return broker_.files(); }
    /// The broker said that its storage failed: a start was refused, the log failed, a checkpoint, or there was no
    /// room.
    [[nodiscard]] bool told() const { return told_; }

private:
    /// Something that may happen next, so often among all.
    struct Deed {
        std::uint64_t weight;
        bool fault;
        void (World::*act)();
    };

    static std::vector<QueueSpec> draw_queues(Random& random);
    static broker::ShardSettings draw_settings(Random& random);
    SimClient::World view();
    void make_clients();
    void draw_deeds();
    void tap(PeerId peer, const Frame& frame);
    void tap_deliver(const Frame& frame);

    [[nodiscard]] std::uint32_t generation_of(std::size_t queue) const;
    [[nodiscard]] bool enough(double part = 1.0) const;
    void something();
    /// What must hold after every event.
    void look();
    void mark_progress(const broker::Sample& sample);
    [[nodiscard]] bool over() const { return !oracle_.verdict().empty(); }

    // --- deeds ---
    void client_step() { any_client().step(); }
    void cycle() { broker_.cycle(); }
    void commit() { broker_.commit(); }
    void short_time();
    void long_time();
    void seal_one();
    void lose_connection() { any_client().lose(); }
    void kill_client() { any_client().die(); }
    void stop_broker() { crash(Death::kStop); }
    void kill_broker() { crash(Death::kKill); }
    void cut_power() { crash(Death::kPowerCut); }
    void break_storage();
    void slow_down_sync() { sync_points_ = 2 + random_.below(20); }
    void hang_sync();
    void fill_disk();
    void free_disk();
    void stall_connection();
    void let_connections_go() { broker_.transport().resume_all(); }

    void pass(std::chrono::milliseconds time);
    SimClient& any_client() { return *clients_[random_.below(clients_.size())]; }
    void in_commit();
    void in_sync();
    void go_on(std::uint64_t events);
    /// One time in `of` the power fails at one of the next points in the commit thread's work: a promise was just made.
    void cut_soon(std::uint64_t of);
    /// The broker dies, now or at a point inside the commit thread's work, and starts again.
    void crash(Death death);
    void die(Death death);
    void restart();
    Result<void> start();
    Result<void> first_start();
    /// Does harm to a file that is complete, while nobody has it open.
    void do_damage();
    [[nodiscard]] std::vector<std::string> complete_files();
    bool damage_message(const std::vector<std::string>& names);
    void damage(const std::string& name);
    void undo_damage();
    void mark_start();
    /// A log that failed ends the life of its broker.
    void look_for_failure();

    /// Rounds without mischief until `done`, else a violation.
    template <class Done>
    void heal(const char* what, Done done);
    void drain();
    void seal();
    void cut_once_more();

    Random random_;
    Marks& marks_;
    const Goals goals_;
    const std::optional<FileFault> only_;
    const std::vector<QueueSpec> specs_;
    Work work_;
    Oracle oracle_;
    SimBroker broker_;
    bool healing_ = false;
    bool stopping_ = false;  ///< The broker comes to its end in peace.
    bool rough_ = false;     ///< The broker may die although it heals.
    std::vector<std::unique_ptr<SimClient>> clients_;
    std::vector<SimProducer*> producers_;
    std::vector<SimConsumer*> consumers_;
    std::vector<SimWatcher*> watchers_;
    std::vector<SimFollower*> followers_;
    std::map<std::uint32_t, PeerId> subs_;  ///< Whose an attachment is.
    std::vector<Deed> deeds_;
    std::uint64_t weights_ = 0;  ///< Of all deeds.
    std::uint64_t trace_ = 0;
    std::optional<Death> death_due_;  ///< The broker dies so, `points_left_` points of the commit thread's work on.
    std::uint64_t points_left_ = 0;
    bool storage_broken_ = false;    ///< A fault was injected in this life: a failed log is no surprise.
    std::uint64_t sync_points_ = 0;  ///< The next sync takes so many events.
    bool told_ = false;
    bool disk_full_ = false;
    bool damaged_ = false;           ///< In this life a file is damaged.
    std::uint64_t damage_of_8_ = 0;  ///< So many restarts in 8 find one damaged.
    std::uint64_t reads_ = 0;        ///< Of files, until the last look.
    std::uint64_t scrubbed_ = 0;
    std::size_t segments_ = 0;
    std::size_t files_ = 0;  ///< Of the log, when it was last asked.
};

}  // namespace telpher::sim
