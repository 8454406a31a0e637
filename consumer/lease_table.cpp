#include "consumer/lease_table.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "proto/base/units.h"
#include "telpher/options.h"

namespace telpher::consumer {
namespace {

constexpr std::uint64_t kMagic = 0x31656c6261743174;  // "t1table1"
constexpr std::uint32_t kThreadsMax = 1'024;
constexpr std::uint64_t kBackoff = UINT64_MAX;  // as a delay: that of the queue

enum class Doing : std::uint32_t { kIdle = 0, kHandling = 1 };

struct Slot {
    std::atomic<std::uint32_t> doing;
    std::atomic<std::uint32_t> delivery;
    std::atomic<std::uint64_t> offset;
    std::atomic<std::int64_t> since_ns;
    std::atomic<std::int32_t> process;
    std::atomic<std::uint32_t> cause;
    std::atomic<std::uint64_t> detail;
};

struct VerdictEntry {
    std::atomic<std::uint64_t> offset;
    std::atomic<std::uint64_t> delay_ms;
    std::atomic<std::uint32_t> delivery;
    std::atomic<std::uint32_t> verdict;  // 0: nothing here
};

struct DeliveryEntry {
    std::atomic<std::uint64_t> first;
    std::atomic<std::uint32_t> count;  // 0: nothing here
    std::atomic<std::uint32_t> delivery;
};

/// Times of handlers; several threads write.
struct Times {
    std::array<std::atomic<std::uint64_t>, TimeHistogram::kBuckets> counts;
    std::atomic<std::uint64_t> sum_ns;
};

/// Where an outcome stands in LeaseTable::kOutcomes.
std::size_t outcome_of(v1::Settle::Verdict verdict) {
    switch (verdict) {
        case v1::Settle::VERDICT_ACK:
            return 0;
        case v1::Settle::VERDICT_NACK:
            return 1;
        case v1::Settle::VERDICT_DEAD:
            return 3;
        default:
            return 2;
    }
}

static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "shared between processes");

}  // namespace

// All zeros is a table in which nothing has happened.
struct LeaseTable::Layout {
    std::uint64_t magic;
    std::uint32_t threads;
    std::atomic<std::uint32_t> phase;
    std::atomic<std::uint32_t> connected;
    std::atomic<std::uint32_t> leaving;
    std::atomic<std::uint32_t> recycle;
    std::atomic<std::uint32_t> ended;
    std::atomic<std::uint32_t> blamed;
    std::atomic<std::uint64_t> begun;
    std::array<Times, kOutcomes.size()> times;
    std::atomic<std::uint64_t> verdicts_at, deliveries_at, suspects_at;
    std::array<VerdictEntry, kVerdicts> verdicts;
    std::array<DeliveryEntry, kDeliveries> deliveries;
    std::array<std::atomic<std::uint64_t>, kSuspects> suspects;  // offset + 1; 0: none
    // `threads` slots follow.

    [[nodiscard]] Slot& slot(unsigned thread) { return reinterpret_cast<Slot*>(this + 1)[thread]; }
    static std::size_t bytes(unsigned threads) { return sizeof(Layout) + threads * sizeof(Slot); }
};

std::string signal_name(int number) {
    const char* name = ::sigabbrev_np(number);
    return name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(number);
}

std::string reason_of(Cause cause, std::uint64_t detail) {
    switch (cause) {
        case Cause::kSignal:
            return "crashed: " + signal_name(static_cast<int>(detail));
        case Cause::kTimeLimit:
            return "time limit of " + format_duration(Millis(static_cast<std::int64_t>(detail)));
        case Cause::kRssLimit:
            return "RSS limit of " + format_bytes(detail);
        case Cause::kExit:
            return "crashed: ended its process with exit status " + std::to_string(detail);
        case Cause::kNone:
            break;
    }
    return {};
}

// --- life ---

Result<LeaseTable> LeaseTable::create(unsigned threads) {
    const int fd = ::memfd_create("telpher-leases", MFD_CLOEXEC);
    if (fd < 0) return fail(Code::kIo, std::string("memfd: ") + std::strerror(errno));
    const std::size_t bytes = Layout::bytes(threads);
    void* at = MAP_FAILED;
    if (::ftruncate(fd, static_cast<off_t>(bytes)) == 0)
        at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        const int error = errno;
        ::close(fd);
        return fail(Code::kIo, std::string("shared memory: ") + std::strerror(error));
    }
    auto* layout = static_cast<Layout*>(at);
    layout->magic = kMagic;
    layout->threads = threads;
    return LeaseTable(fd, layout, bytes);
}

Result<LeaseTable> LeaseTable::open(int fd) {
    auto table = view(fd);
    if (table) table->fd_ = fd;
    return table;
}

Result<LeaseTable> LeaseTable::view(int fd) {
    const auto refuse = [] { return fail(Code::kUsage, "not a table of leases"); };
    struct stat status {};
    if (fd < 0 || ::fstat(fd, &status) != 0) return refuse();
    const auto bytes = static_cast<std::size_t>(status.st_size);
    if (bytes < Layout::bytes(1) || bytes > Layout::bytes(kThreadsMax)) return refuse();
    void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) return refuse();
    LeaseTable table(-1, static_cast<Layout*>(at), bytes);
    if (table.layout_->magic != kMagic || Layout::bytes(table.layout_->threads) != bytes) return refuse();
    return table;
}

LeaseTable::LeaseTable(LeaseTable&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      layout_(std::exchange(other.layout_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

LeaseTable& LeaseTable::operator=(LeaseTable&& other) noexcept {
    if (this == &other) return *this;
    unmap();
    fd_ = std::exchange(other.fd_, -1);
    layout_ = std::exchange(other.layout_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
    return *this;
}

LeaseTable::~LeaseTable() { unmap(); }

void LeaseTable::unmap() {
    if (layout_ != nullptr) ::munmap(layout_, bytes_);
    if (fd_ >= 0) ::close(fd_);
}

unsigned LeaseTable::threads() const { return layout_->threads; }

// --- the worker ---

void LeaseTable::delivered(std::uint64_t first, std::uint32_t count, std::uint32_t delivery) {
    DeliveryEntry& entry = layout_->deliveries[layout_->deliveries_at.fetch_add(1) % kDeliveries];
    entry.count.store(0);
    entry.first.store(first);
    entry.delivery.store(delivery);
    entry.count.store(count);
}

void LeaseTable::begin(unsigned thread, std::uint64_t offset, std::uint32_t delivery, Instant now) {
    Slot& slot = layout_->slot(thread);
    slot.offset.store(offset);
    slot.delivery.store(delivery);
    slot.since_ns.store(now.ns);
    slot.doing.store(static_cast<std::uint32_t>(Doing::kHandling));
    layout_->begun.fetch_add(1);
}

void LeaseTable::set_process(unsigned thread, pid_t process) { layout_->slot(thread).process.store(process); }

// The verdict is there before the thread is idle: a death in between leaves both, and the verdict goes first.
void LeaseTable::decide(unsigned thread, v1::Settle::Verdict verdict, Instant now,
                        std::optional<std::uint64_t> delay_ms) {
    Slot& slot = layout_->slot(thread);
    VerdictEntry& entry = layout_->verdicts[layout_->verdicts_at.fetch_add(1) % kVerdicts];
    entry.verdict.store(0);
    entry.offset.store(slot.offset.load());
    entry.delivery.store(slot.delivery.load());
    entry.delay_ms.store(delay_ms.value_or(kBackoff));
    entry.verdict.store(static_cast<std::uint32_t>(verdict));
    const std::int64_t took_ns = std::max<std::int64_t>(now.ns - slot.since_ns.load(), 0);
    Times& times = layout_->times[outcome_of(verdict)];
    times.counts[TimeHistogram::bucket(took_ns)].fetch_add(1);
    times.sum_ns.fetch_add(static_cast<std::uint64_t>(took_ns), std::memory_order_relaxed);
    slot.process.store(0);
    slot.doing.store(static_cast<std::uint32_t>(Doing::kIdle));
}

void LeaseTable::set_phase(Phase phase) { layout_->phase.store(static_cast<std::uint32_t>(phase)); }

void LeaseTable::set_connected(bool connected) { layout_->connected.store(connected ? 1 : 0); }

void LeaseTable::set_leaving() { layout_->leaving.store(1); }

void LeaseTable::set_recycle() { layout_->recycle.store(1); }

void LeaseTable::set_ended(Code code) { layout_->ended.store(static_cast<std::uint32_t>(code)); }

void LeaseTable::blame(unsigned thread, Cause cause, std::uint64_t detail) {
    Slot& slot = layout_->slot(thread);
    if (slot.doing.load() != static_cast<std::uint32_t>(Doing::kHandling)) return;
    if (layout_->blamed.exchange(1) != 0) return;
    slot.detail.store(detail);
    slot.cause.store(static_cast<std::uint32_t>(cause));
}

// --- suspects ---

void LeaseTable::suspect(std::uint64_t offset) {
    if (!suspects(offset)) layout_->suspects[layout_->suspects_at.fetch_add(1) % kSuspects].store(offset + 1);
}

bool LeaseTable::suspects(std::uint64_t offset) const {
    if (layout_->suspects_at.load() == 0) return false;
    return std::any_of(layout_->suspects.begin(), layout_->suspects.end(),
                       [&](const auto& entry) { return entry.load() == offset + 1; });
}

// --- who comes after ---

std::vector<LeaseTable::Running> LeaseTable::running() const {
    std::vector<Running> running;
    for (unsigned thread = 0; thread < layout_->threads; ++thread) {
        const Slot& slot = layout_->slot(thread);
        if (slot.doing.load() != static_cast<std::uint32_t>(Doing::kHandling)) continue;
        running.push_back({thread, slot.offset.load(), slot.delivery.load(), Instant{slot.since_ns.load()},
                           slot.process.load(), static_cast<Cause>(slot.cause.load()), slot.detail.load()});
    }
    return running;
}

std::vector<LeaseTable::Decided> LeaseTable::decided() const {
    std::vector<Decided> decided;
    for (const VerdictEntry& entry : layout_->verdicts) {
        const std::uint32_t verdict = entry.verdict.load();
        if (verdict == 0) continue;
        const std::uint64_t delay_ms = entry.delay_ms.load();
        decided.push_back({entry.offset.load(), entry.delivery.load(), static_cast<v1::Settle::Verdict>(verdict),
                           delay_ms == kBackoff ? std::nullopt : std::optional(delay_ms)});
    }
    return decided;
}

std::vector<frame::Run> LeaseTable::deliveries() const {
    std::vector<frame::Run> runs;
    for (const DeliveryEntry& entry : layout_->deliveries) {
        if (const std::uint32_t count = entry.count.load(); count > 0)
            runs.push_back({entry.first.load(), count, entry.delivery.load()});
    }
    return runs;
}

Phase LeaseTable::phase() const { return static_cast<Phase>(layout_->phase.load()); }

bool LeaseTable::takes() const {
    return phase() == Phase::kTaking && layout_->connected.load() != 0 && layout_->leaving.load() == 0;
}

bool LeaseTable::recycle() const { return layout_->recycle.load() != 0; }

Code LeaseTable::ended() const { return static_cast<Code>(layout_->ended.load()); }

std::uint64_t LeaseTable::begun() const { return layout_->begun.load(); }

LeaseTable::Handled LeaseTable::handled() const {
    Handled handled;
    for (std::size_t i = 0; i < kOutcomes.size(); ++i) {
        const Times& times = layout_->times[i];
        std::array<std::uint64_t, TimeHistogram::kBuckets> counts{};
        for (std::size_t bucket = 0; bucket < counts.size(); ++bucket) counts[bucket] = times.counts[bucket].load();
        handled.by_outcome[i] = TimeHistogram(counts, static_cast<double>(times.sum_ns.load()));
    }
    return handled;
}

LeaseTable::Counts LeaseTable::counts() const {
    const auto by_outcome = handled().by_outcome;
    return {by_outcome[0].count(), by_outcome[1].count(), by_outcome[2].count(), by_outcome[3].count()};
}

}  // namespace telpher::consumer
