// The seam for what takes a disk's time: jobs that run beside the shard, and what the shard does with their results.
// ThreadBackground does it with threads; the simulation by hand.
#pragma once

#include <cstddef>
#include <functional>

namespace telpher::broker {

class Background {
public:
    /// Jobs of one lane run one after the other.
    enum class Lane {
        kReads,   ///< Somebody waits for it: bodies that left the memory.
        kChores,  ///< Nobody does: checkpoints, rewriting, scrubbing.
    };
    /// What the shard does with the result, on its own thread.
    using Finish = std::function<void()>;
    /// Runs beside the shard and touches nothing of it.
    using Job = std::function<Finish()>;

    virtual ~Background() = default;
    /// Shard thread. Jobs still waiting when the object goes are not run.
    virtual void post(Lane lane, Job job) = 0;
    /// Does what finished jobs asked for (shard thread); returns how many.
    virtual std::size_t run_finished() = 0;
};

}  // namespace telpher::broker
