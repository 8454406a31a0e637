// Damage to one file of a data directory, and what comes of it: drawn, done, and judged. Values; one thread.
#pragma once

#include <optional>
#include <string>

#include "proto/base/random.h"
#include "tests/e2e/corruption_reference.h"

namespace telpher::test {

enum class Harm { kFlipBit, kZeroSector, kSwapSectors, kTruncate, kDelete, kRestoreOld, kAppend };
inline constexpr std::size_t kHarms = 7;

struct Corruption {
    Harm harm = Harm::kFlipBit;
    std::string file;
    std::string what;  ///< For people: all that is needed to do it again.
};

/// Damages one file of the folder; nothing if the draw changed nothing.
std::optional<Corruption> corrupt(Random& random, const Reference& reference, Folder& folder);

/// Positions of a segment's bytes that are in records, from first to last: headers, metas and bodies, not what pads
/// them.
std::vector<std::pair<std::size_t, std::size_t>> recorded(const FileBytes& segment);

/// What a broker made of a folder.
struct Served {
    bool started = false;
    std::string refused;  ///< Why it did not start, or stopped.
    bool failed = false;  ///< It started, and stopped for damage that it met.
    std::uint64_t torn_bytes = 0;
    std::string torn;
    std::map<std::uint64_t, std::string> messages;  ///< All it gave out or showed, by id.
    std::vector<std::string> wrong;                 ///< Two payloads for one id.
    [[nodiscard]] bool reported() const { return !started || failed; }
};

/// Starts a simulated broker on the folder and reads everything in the queue, as consumers and as those who look.
Served serve(const Reference& reference, const Folder& folder);

/// What is wrong with what was served, one line each; empty: every claim holds.
struct Judgement {
    std::vector<std::string> served_wrong;
    std::vector<std::string> undetected;
};
Judgement judge(const Reference& reference, const Served& served);

}  // namespace telpher::test
