// Who polls the connection while somebody waits for it. Normally the engine's thread does, and what comes in costs two
// wake-ups: that thread's and the waiting one's. A thread that waits can do it itself (it leads) while the engine's
// thread dozes: one wake-up less each way, which is most of the latency of one message at a time.
//
// Invariants: (1) at most one thread polls: the engine's, or one leader; (2) somebody may lead only while the engine's
// thread dozes; (3) it dozes only after a thread asked for it and while none but a leader waits, wakes kDoze after the
// last leader left, and at once when a leader gave up, so that work left behind is never older than that.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "proto/base/clock.h"

namespace telpher::session {

class Leading {
public:
    /// A leader that nothing came for gives up after this: a wait that is long needs no low latency.
    static constexpr Duration kLead = std::chrono::milliseconds(2);

    // --- a thread that waits ---

    /// Counts the calling thread among those that wait, from before begin() until it has what it waited for.
    class Waiting {
    public:
        explicit Waiting(Leading& leading) : leading_(leading) { ++leading_.waiting_; }
        ~Waiting() { --leading_.waiting_; }
        Waiting(const Waiting&) = delete;
        Waiting& operator=(const Waiting&) = delete;

    private:
        Leading& leading_;
    };

    /// True: the caller leads until end(). False: it must wait in the usual way; the engine's thread will doze next
    /// time.
    bool begin();
    /// `soon`: somebody will probably lead again in a moment.
    void end(bool soon);

    // --- the engine's thread ---

    /// Somebody wanted to lead since the last call, and nobody waits now: the next one who waits will.
    bool wanted() { return waiting_ == 0 && wanted_.exchange(false, std::memory_order_relaxed); }
    /// Returns when the engine's thread has to poll again.
    void doze();

    /// Ends doze() for good once nobody leads (any thread).
    void stop();

private:
    static constexpr auto kDoze = std::chrono::milliseconds(1);

    std::atomic<int> waiting_{0};
    std::atomic<bool> wanted_{false};
    std::mutex mutex_;
    std::condition_variable changed_;
    bool dozing_ = false;  // guarded by mutex_, as all below
    bool leader_ = false;
    bool fresh_ = false;     // somebody led since the doze was last prolonged
    bool given_up_ = false;  // a leader that nothing came for has left
    bool stopped_ = false;
};

}  // namespace telpher::session
