// Judges the merged history of a run on one queue. It streams: what is settled is remembered as compressed sets, so
// memory follows what is in flight and the number of producers and consumers. One thread.
//
// What a queue promises, and what finds that it was broken:
//   - nothing confirmed is lost: kLost
//   - nothing comes that was not put, or with other bytes, or that was refused: kInvented, kAltered, kRefusedDelivered
//   - what is settled never comes again, what comes again is flagged: kAfterSettle, kUnflagged
//   - a consumer is given new messages in the order of their offsets, so those of a producer in the order of its puts:
//     kOutOfOrder. That none is begun before an earlier one is settled is promised for no queue, and not looked for.
//   - a put is stored once however often it is sent: kTwoOffsets. A gap in the sequences of a producer is no violation,
//     as refused puts leave some.
//   - an offset is the same message to everybody and for ever: kOffsetReused
//   - offsets follow real time: kOrder
//   - the end comes once, and last: kEndTooEarly, kEndTwice
// There are no tokens of exclusive holders, so nothing is said of them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <roaring/roaring64map.hh>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/support/history.h"

namespace telpher::test {

/// What must hold. Each name says how it is broken.
enum class Property : std::uint8_t {
    kLost,              ///< A confirmed message was neither settled nor drained.
    kInvented,          ///< A message came that nobody put.
    kAltered,           ///< A message came with other bytes than it was put with.
    kAfterSettle,       ///< A message came after its ack was confirmed.
    kUnflagged,         ///< A message came twice, not flagged, and nobody had given an ack for it.
    kTwoOffsets,        ///< One (producer, sequence) has two offsets.
    kOffsetReused,      ///< One offset has two messages.
    kOrder,             ///< A message put after another's confirm has a smaller offset.
    kOutOfOrder,        ///< A consumer was given one for the first time after a later one of the same producer.
    kRefusedDelivered,  ///< A put that was refused, cancelled or timed out came.
    kEndTooEarly,       ///< A consumer saw the end while a message was unsettled, or messages came after it.
    kEndTwice,          ///< A consumer saw the end more than once.
    kMalformed,         ///< The history contradicts itself: the run proves nothing.
};
std::string_view name_of(Property property);

struct Violation {
    Property property;
    std::string text;
};

/// The outcome of a run.
struct Verdict {
    std::vector<Violation> violations;  ///< The first ones, at most kViolationsKept.
    std::map<Property, std::uint64_t> broken;
    std::uint64_t puts = 0, confirmed = 0, refused = 0, unknown = 0;
    std::uint64_t unresolved = 0;  ///< Puts whose producer did not live to see an outcome.
    std::uint64_t delivered = 0, settled = 0;
    std::uint64_t redelivered = 0;        ///< Deliveries of a message that had been delivered, flagged as such.
    std::uint64_t duplicates = 0;         ///< The same, not flagged, after an ack whose fate is unknown.
    std::uint64_t acks_unconfirmed = 0;   ///< Messages whose only acks were never confirmed.
    std::uint64_t unknown_delivered = 0;  ///< Puts of unknown outcome that were in the queue.
    std::uint64_t ends = 0;
    [[nodiscard]] bool ok() const { return broken.empty(); }
    [[nodiscard]] std::string text() const;
};

class Checker {
public:
    static constexpr std::size_t kViolationsKept = 20;

    /// The next event in the order of time.
    void see(const Event& event);
    /// After the last one.
    Verdict finish();

    /// Reads and judges these histories.
    static Verdict check(const std::vector<std::filesystem::path>& paths);

private:
    enum class Outcome : std::uint8_t { kOpen, kConfirmed, kUnknown };
    struct Put {
        std::string producer;
        std::uint64_t seq = 0;
        std::uint64_t hash = 0;
        std::uint64_t floor = 0;  ///< Offsets below were confirmed before this put began.
        std::optional<std::uint64_t> id;
        Outcome outcome = Outcome::kOpen;
        bool delivered = false;
        bool settled = false;
        std::uint32_t acks_open = 0;
    };
    struct Producer {
        std::unordered_map<std::uint64_t, std::unique_ptr<Put>> live;
        Roaring64Map done;  ///< Confirmed (or unknown) and settled.
        Roaring64Map refused;
    };

    void put(const Event& event);
    void confirmed(const Event& event);
    void refused(const Event& event);
    void unknown(const Event& event);
    void delivered(const Event& event);
    void first_delivery(const Event& event);
    void acked(const Event& event);
    void ended(const Event& event);
    void take_id(Put& put, std::uint64_t id);
    Put* open_put(const Event& event);
    Put* leased(const Event& event);
    void retire(Put& put);
    void broken(Property property, const Event& event, const std::string& why);

    std::unordered_map<std::string, Producer> producers_;
    std::unordered_map<std::uint64_t, Put*> by_id_;
    Roaring64Map settled_ids_;
    std::map<std::pair<std::string, std::string>, std::uint64_t> latest_;  ///< Consumer and producer -> offset.
    std::set<std::string> ended_;
    std::uint64_t confirmed_below_ = 0;  ///< One above the highest offset confirmed so far.
    std::int64_t time_ns_ = 0;
    bool drained_ = false;
    Verdict verdict_;
};

}  // namespace telpher::test
