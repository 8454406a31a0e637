// A run of the simulation: one broker, some queues, producers, consumers and watchers, and a seeded hand that decides
// what happens next: a client's step, a cycle of the shard, a round of the commit thread, time, a lost connection, the
// death of a client or of the broker. Then everything heals, is drained and sealed, and the power fails once more.
#pragma once

#include <memory>
#include <vector>

#include "tests/sim/sim_consumer.h"
#include "tests/sim/sim_follower.h"
#include "tests/sim/sim_producer.h"
#include "tests/sim/sim_watcher.h"

namespace telpher::sim {

class World {
public:
    /// Everything follows from the seed. What happened is added to `marks`.
    World(std::uint64_t seed, Marks& marks);

    /// Writes down what happens.
    void tell(std::ostream& out) { oracle_.tell(out); }
    /// Runs to the end or to the first violation; returns that, or an empty text.
    std::string run();
    /// The violation is a confirmed message that is gone.
    [[nodiscard]] bool lost() const { return oracle_.lost(); }
    /// A hash over every frame the broker sent.
    [[nodiscard]] std::uint64_t trace() const { return trace_; }

private:
    static std::vector<QueueSpec> draw_queues(Random& random);
    SimClient::World view();
    void make_clients();
    void tap(PeerId peer, const Frame& frame);

    void something();
    void client_step();
    void in_commit();
    /// The broker dies, now or at a point inside the commit thread's work, and starts again.
    void crash(Death death);
    void break_storage();
    void die(Death death);
    void restart();
    /// A log that failed ends the life of its broker.
    void look_for_failure();
    [[nodiscard]] bool over() const { return !oracle_.verdict().empty(); }

    /// Rounds without mischief until `done`, else a violation.
    template <class Done>
    void heal(const char* what, Done done);
    void drain();
    void seal();
    void cut_once_more();

    Random random_;
    Marks& marks_;
    const std::vector<QueueSpec> specs_;
    Oracle oracle_;
    SimBroker broker_;
    bool healing_ = false;
    std::vector<std::unique_ptr<SimClient>> clients_;
    std::vector<SimProducer*> producers_;
    std::vector<SimConsumer*> consumers_;
    std::vector<SimWatcher*> watchers_;
    std::vector<SimFollower*> followers_;
    std::uint64_t trace_ = 0;
    std::optional<Death> death_due_;  ///< The broker dies so, `points_left_` points of the commit thread's work on.
    std::uint64_t points_left_ = 0;
    bool storage_broken_ = false;  ///< A fault was injected in this life: a failed log is no surprise.
};

}  // namespace telpher::sim
