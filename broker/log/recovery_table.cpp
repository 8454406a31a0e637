#include "broker/log/recovery_table.h"

#include <array>

namespace telpher::log {
namespace {

constexpr Action kCut = Action::kTruncate;
constexpr Action kStop = Action::kStop;
constexpr Action kRefuse = Action::kRefuse;

struct Row {
    std::string_view text;
    std::array<Action, kPlaces> actions;  // kLastUnproven, kLastProven, kEarlier
};

constexpr std::array<Row, kDamages> kTable{{
    {"the records end", {kCut, kStop, kStop}},                       // kTornTail
    {"no valid record header", {kCut, kStop, kStop}},                // kBadHeader
    {"a record does not match its checksum", {kCut, kStop, kStop}},  // kBadBody
    // A cut is zeroed before anything is written over it, so no torn write leaves a valid record with another lsn.
    {"a record with another lsn", {kStop, kStop, kStop}},  // kLsnGap
    {"a segment is missing", {kCut, kStop, kStop}},        // kMissingSegment
    // The block is durable before the file has its name.
    {"a broken or foreign segment header", {kStop, kStop, kStop}},  // kBadSegmentHeader
    {"a newer format version", {kRefuse, kRefuse, kRefuse}},        // kNewerVersion
    {"the segment's snapshot has no end", {kCut, kStop, kStop}},    // kIncompleteSnapshot
}};

}  // namespace

Action decide(Damage damage, Place place) {
    return kTable[static_cast<std::size_t>(damage)].actions[static_cast<std::size_t>(place)];
}

std::string_view damage_text(Damage damage) { return kTable[static_cast<std::size_t>(damage)].text; }

std::string_view place_text(Place place) {
    switch (place) {
        case Place::kLastUnproven:
            return "unconfirmed tail";
        case Place::kLastProven:
            return "confirmed part of the last segment";
        case Place::kEarlier:
            return "earlier segment";
    }
    return "";
}

}  // namespace telpher::log
