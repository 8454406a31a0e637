// Damage to one file of a data directory, and what comes of it: drawn, done, and judged. Values; one thread.
#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proto/base/random.h"
#include "tests/e2e/corruption_reference.h"

namespace telpher::test {

enum class Harm {
    kFlipBit,
    kZeroSector,
    kZeroHeader,   ///< The first sector.
    kSwapSectors,  ///< Any two of the file.
    kSwapInRecord,
    kMisplaceRecord,  ///< A whole record stands in the place of another of its file.
    kTruncate,
    kDelete,
    kRestoreOld,
    kRename,   ///< Gets the name of another of its kind, or one that nobody has.
    kMixUp,    ///< Gets the bytes of another file of the folder.
    kForeign,  ///< Gets the bytes of a file of another log.
    kAppend
};
inline constexpr std::size_t kHarms = 13;

/// "seg", "spare", "checkpoint", "mark", "lock", "quarantine".
std::string kind_of(const std::string& file);

struct Corruption {
    Harm harm = Harm::kFlipBit;
    std::string file;
    std::string what;  ///< For people: all that is needed to do it again.
};

/// Damages one file of the folder; nothing if the draw changed nothing.
std::optional<Corruption> corrupt(Random& random, const Reference& reference, Folder& folder);

/// Where records begin in a segment or a checkpoint, and where what they say ends: headers, metas and bodies, not what
/// pads them.
std::vector<std::pair<std::size_t, std::size_t>> records_in(const FileBytes& file);

/// Bytes [from, to) of a file.
struct Range {
    std::string file;
    std::uint64_t from = 0, to = 0;
};

/// Where the newest record of each message lies.
std::map<std::uint64_t, Range> places_of(const Folder& folder);

/// What a broker made of a folder.
struct Served {
    bool started = false;
    std::string refused;                            ///< Why it did not start, or stopped.
    bool failed = false;                            ///< It started, and stopped for damage that it met.
    std::vector<Range> cuts;                        ///< Reported as an unconfirmed tail, and gone.
    std::string torn;                               ///< What was said of that.
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
    /// Confirmed, and in a tail that was reported as torn: nobody can tell more after a kill, if the mark is lost, too.
    std::uint64_t confirmed_in_tail = 0;
    /// Never confirmed, but an undamaged start serves them, and they are gone without a word.
    std::uint64_t unconfirmed_gone = 0;
};
Judgement judge(const Reference& reference, const Served& served);
/// Fails the test if something was served wrong or is missing without a word; `what` was done to the files.
void expect_honest(const Judgement& judgement, const Served& served, const std::string& what);

/// Fails the test if one of these kinds of file is not there, or if `served`, of the undamaged files, is not all that
/// it must be; notes what it is.
void expect_sound(Reference& reference, const Served& served, std::initializer_list<const char*> kinds);

/// What many corruptions came to.
class Tally {
public:
    void add(const Corruption& corruption, const Served& served, const Judgement& judgement);
    /// "corruptions (where): N over K kinds of harm ..."
    void print(const std::string& where) const;
    [[nodiscard]] std::uint64_t done() const { return done_; }

private:
    std::uint64_t done_ = 0, refused_ = 0, failed_ = 0, harmless_ = 0, served_wrong_ = 0, undetected_ = 0, torn_ = 0;
    std::uint64_t confirmed_in_tail_ = 0, unconfirmed_gone_ = 0;
    std::set<Harm> harms_;
    std::set<std::string> kinds_;  // of files
};

}  // namespace telpher::test
