// What one worker process has been given, what its threads handle, and what they decided, in memory that it shares with
// its supervisor: when the process dies, somebody else can settle for it, and knows whose handler it was.
//
// One memfd per process; the worker writes, the supervisor and the heir read (and the supervisor adds who is to blame)
// once the worker is dead. Entries are published by their last store, so a death in the middle of one leaves none or a
// whole one. A table says too much rather than too little: what was settled long ago is in it still, and the broker
// tells that apart by (offset, delivery).
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "consumer/settle_batcher.h"
#include "proto/base/clock.h"
#include "proto/base/histogram.h"
#include "telpher/error.h"

namespace telpher::consumer {

/// Why a handler did not come to its end.
enum class Cause : std::uint32_t {
    kNone = 0,       ///< It is not known to be to blame.
    kSignal = 1,     ///< Its thread got a signal; detail = the number.
    kTimeLimit = 2,  ///< Detail = the limit, ms.
    kRssLimit = 3,   ///< Detail = the limit, bytes.
    kExit = 4,       ///< It ended its process; detail = the exit status.
};

/// "crashed: SIGSEGV", "time limit of 5m": the reason a message is given back with.
std::string reason_of(Cause cause, std::uint64_t detail);
/// "SIGSEGV", "signal 99".
std::string signal_name(int number);

/// Where a worker process is in its life.
enum class Phase : std::uint32_t {
    kStarting = 0,
    kTaking = 1,  ///< Takes messages.
    kLeft = 2,    ///< Ends by itself: its exit status is its own.
};

class LeaseTable {
public:
    static constexpr std::size_t kVerdicts = 8'192;    ///< The latest verdicts that are kept.
    static constexpr std::size_t kDeliveries = 4'096;  ///< The latest deliveries that are kept.

    static constexpr std::size_t kSuspects = 256;  ///< The latest suspects that are kept.

    /// A new one, in a descriptor that closes on exec. kIo: out of memory or descriptors.
    static Result<LeaseTable> create(unsigned threads);
    /// The one behind `fd`, which it takes over. kUsage if it is none.
    static Result<LeaseTable> open(int fd);
    /// The same, but `fd` stays its owner's; the result has none.
    static Result<LeaseTable> view(int fd);
    LeaseTable(LeaseTable&& other) noexcept;
    LeaseTable& operator=(LeaseTable&& other) noexcept;
    ~LeaseTable();

    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] unsigned threads() const;

    // --- the worker ---
    void delivered(std::uint64_t first, std::uint32_t count, std::uint32_t delivery);
    /// Thread `thread` begins to handle a message.
    void begin(unsigned thread, std::uint64_t offset, std::uint32_t delivery, Instant now);
    /// The process that handles the message of `thread`; 0: none (any more).
    void set_process(unsigned thread, pid_t process);
    /// What was decided about the message of `thread`, which is idle from now on.
    void decide(unsigned thread, v1::Settle::Verdict verdict, Instant now, std::optional<std::uint64_t> delay_ms = {});
    void set_phase(Phase phase);
    /// There is a broker, or none any more.
    void set_connected(bool connected);
    /// It was told to leave: no new messages.
    void set_leaving();
    /// The process ends to be replaced, not because there is nothing left to do.
    void set_recycle();
    /// Why it ended.
    void set_ended(Code code);

    // --- both ---
    /// The message that `thread` handles is to blame for the end of the process. Async-signal-safe. The first counts.
    void blame(unsigned thread, Cause cause, std::uint64_t detail);

    struct Running {
        unsigned thread = 0;
        std::uint64_t offset = 0;
        std::uint32_t delivery = 0;
        Instant since;
        pid_t process = 0;
        Cause cause = Cause::kNone;
        std::uint64_t detail = 0;
    };
    [[nodiscard]] std::vector<Running> running() const;

    // --- the supervisor to the worker ---
    /// The message may have ended a process before: it runs alone.
    void suspect(std::uint64_t offset);
    [[nodiscard]] bool suspects(std::uint64_t offset) const;

    // --- the supervisor, the heir ---
    struct Decided {
        std::uint64_t offset = 0;
        std::uint32_t delivery = 0;
        v1::Settle::Verdict verdict = v1::Settle::VERDICT_UNSPECIFIED;
        std::optional<std::uint64_t> delay_ms;  ///< Of a nack; none: the queue's backoff.
    };
    [[nodiscard]] std::vector<Decided> decided() const;
    /// What was handed to the process lately, settled or not.
    [[nodiscard]] std::vector<frame::Run> deliveries() const;
    [[nodiscard]] Phase phase() const;
    /// It takes messages: it is at work, has a broker, and was not told to leave.
    [[nodiscard]] bool takes() const;
    [[nodiscard]] bool recycle() const;
    [[nodiscard]] Code ended() const;
    [[nodiscard]] std::uint64_t begun() const;  ///< Handlers started.
    /// What handlers took, by what became of their messages.
    static constexpr std::array<std::string_view, 4> kOutcomes{"acked", "nacked", "released", "dead"};
    struct Handled {
        std::array<TimeHistogram, kOutcomes.size()> by_outcome;  ///< In the order of kOutcomes.
        void add(const Handled& other) {
            for (std::size_t i = 0; i < by_outcome.size(); ++i) by_outcome[i].add(other.by_outcome[i]);
        }
    };
    /// At any time; what is being decided meanwhile may be in it in part.
    [[nodiscard]] Handled handled() const;
    /// Verdicts of each kind.
    struct Counts {
        std::uint64_t acked = 0, nacked = 0, released = 0, dead = 0;
        [[nodiscard]] std::uint64_t all() const { return acked + nacked + released + dead; }
    };
    [[nodiscard]] Counts counts() const;

private:
    struct Layout;
    LeaseTable(int fd, Layout* layout, std::size_t bytes) : fd_(fd), layout_(layout), bytes_(bytes) {}
    void unmap();

    int fd_ = -1;
    Layout* layout_ = nullptr;
    std::size_t bytes_ = 0;
};

}  // namespace telpher::consumer
