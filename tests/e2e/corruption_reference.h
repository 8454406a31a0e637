// Data directories as brokers leave them, with all kinds of files in them, and what must be in each: for tests that
// damage them. Values; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace telpher::test {

using FileBytes = std::vector<std::byte>;
/// The files of a shard's folder, or of a data directory, by their names in it.
using Folder = std::map<std::string, FileBytes>;

/// What was promised of queue kQueue. The message with id n was put with payload_of(n).
struct Promised {
    std::uint64_t put = 0;             ///< Ids below were sent to the broker.
    std::set<std::uint64_t> stored;    ///< Confirmed ...
    std::set<std::uint64_t> settled;   ///< ... and of these, a settle was confirmed.
    std::set<std::uint64_t> doubtful;  ///< A settle was sent, and not confirmed.

    /// Confirmed, and no settle was sent: these must be there.
    [[nodiscard]] std::set<std::uint64_t> live() const;
};

struct Reference {
    std::string name;
    bool clean = false;  ///< Stopped in order; else killed under load.
    std::uint64_t segment_bytes = 0;
    Folder files;
    std::vector<Folder> older;  ///< The same folder at earlier moments.
    Folder foreign;             ///< That of another log.
    Promised promised;
    std::set<std::uint64_t> present;  ///< What an undamaged start serves.
};

inline constexpr const char* kQueue = "q";

/// 20 to 1,500 bytes that no other number has.
std::string payload_of(std::uint64_t number);

/// Gives it a spare, if the end left none: a segment of an earlier moment, as a dropped one is.
void make_spare(Reference& reference);

/// A simulated broker of small segments (tests/sim): the shard and the log as they are, files in memory.
Reference simulated_reference(std::uint64_t seed, bool clean);
/// A telpherd that was started and stopped several times, its data directory whole: stopped by SIGTERM, or by SIGKILL
/// under load.
Reference daemon_reference(std::uint64_t seed, bool clean);
/// The same, with all that was put still there: more than its cache of bodies holds.
Reference backlog_reference();

}  // namespace telpher::test
