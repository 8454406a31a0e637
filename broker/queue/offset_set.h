// A set of offsets in few bytes, however many there are: a run costs nothing by its length, scattered ones a bit or two
// each (compressed bitmaps, CRoaring). Pure; a part of one queue, lives and dies with it.
#pragma once

#include <cstdint>
#include <map>
#include <roaring/roaring.hh>
#include <string>
#include <utility>

#include "broker/queue/queue.h"

namespace telpher::queue {

class OffsetSet {
public:
    static constexpr Offset kNone{UINT64_MAX};

    void add(Range range);
    void remove(Range range);
    [[nodiscard]] bool contains(Offset offset) const;
    /// The first member at or above `at`; kNone if there is none.
    [[nodiscard]] Offset next(Offset at) const;
    /// Where the run of members that begins at `at`, a member, ends; at most `limit`.
    [[nodiscard]] Offset end_of_run(Offset at, Offset limit) const;
    /// The `n`th member at or above `at`, counted from 1; kNone if there are fewer.
    [[nodiscard]] Offset nth(Offset at, std::uint64_t n) const;
    /// Calls `visit(Range)` for the runs of members in `range`, in order. Costs the members, so it is for few or many
    /// holes, not for none.
    template <class Visit>
    void each_run(Range range, Visit visit) const;
    /// Members in `range`.
    [[nodiscard]] std::uint64_t count(Range range) const;
    [[nodiscard]] bool none_in(Offset first, Offset end) const { return first >= end || next(first) >= end; }

    /// Calls `each(part, bytes)` for the whole set in parts, as restore() takes them.
    template <class Each>
    void save(Each each) const;
    /// Adds a part that save() wrote; false if it is not one.
    bool restore(std::uint64_t part, const std::string& bytes);

private:
    /// Offsets of one bitmap: few enough that a look at its parts is short, many enough that bitmaps are few.
    static constexpr std::uint64_t kPartBits = 22;
    static constexpr std::uint64_t kPartOffsets = 1ULL << kPartBits;
    static constexpr std::uint64_t kCountedOneByOne = 256;
    using Parts = std::map<std::uint64_t, Roaring>;  // by offset >> kPartBits; none is empty

    /// The bounds of `range` within a part.
    [[nodiscard]] static std::pair<std::uint64_t, std::uint64_t> inside(std::uint64_t part, Range range);
    /// Calls `visit(part, first, end)` for the pieces of `range` by part, bounds within the part, while it says so.
    template <class Visit>
    static void split(Range range, Visit visit);

    Parts parts_;
};

template <class Visit>
void OffsetSet::each_run(Range range, Visit visit) const {
    Range run;  // found so far
    for (auto part = parts_.lower_bound(range.first.value() >> kPartBits); part != parts_.end(); ++part) {
        const auto [first, end] = inside(part->first, range);
        if (first >= end) break;
        const Offset base(part->first << kPartBits);
        roaring_uint32_iterator_t member;
        roaring_init_iterator(&part->second.roaring, &member);
        bool more = roaring_move_uint32_iterator_equalorlarger(&member, static_cast<std::uint32_t>(first));
        for (; more && member.current_value < end; more = roaring_advance_uint32_iterator(&member)) {
            const Offset at = base + member.current_value;
            if (run.count > 0 && at == run.end()) {
                ++run.count;
                continue;
            }
            if (run.count > 0) visit(run);
            run = {at, 1};
        }
    }
    if (run.count > 0) visit(run);
}

template <class Each>
void OffsetSet::save(Each each) const {
    for (const auto& [part, bitmap] : parts_) {
        std::string bytes(bitmap.getSizeInBytes(), '\0');
        bitmap.write(bytes.data());
        each(part, std::move(bytes));
    }
}

}  // namespace telpher::queue
