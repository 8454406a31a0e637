// Strong integer types: a queue's number cannot be passed where an offset is meant. Values, owned by nobody.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace telpher {

/// An integer with a meaning. `Id + n` moves it, `Id - Id` is a distance; nothing else mixes.
template <class Tag, class Rep = std::uint64_t>
class Id {
public:
    using rep = Rep;
    constexpr Id() = default;
    constexpr explicit Id(Rep value) : value_(value) {}
    [[nodiscard]] constexpr Rep value() const { return value_; }
    constexpr auto operator<=>(const Id&) const = default;
    constexpr Id operator+(Rep n) const { return Id(static_cast<Rep>(value_ + n)); }
    constexpr Id& operator+=(Rep n) {
        value_ = static_cast<Rep>(value_ + n);
        return *this;
    }
    constexpr Rep operator-(Id other) const { return static_cast<Rep>(value_ - other.value_); }

private:
    Rep value_ = 0;
};

using QueueId = Id<struct QueueIdTag>;        ///< A queue of a shard, never reused; 0 = none.
using Offset = Id<struct OffsetTag>;          ///< Message id: dense per queue, given at admission, stable for ever.
using Sequence = Id<struct SequenceTag>;      ///< A producer's own number for a message, dense per (producer, queue).
using ProducerId = Id<struct ProducerIdTag>;  ///< Durable boot counter << 32 | n; never reused; 0 = none.
using SessionId = Id<struct SessionIdTag>;    ///< A client's session on a shard; 0 = none.
using Epoch = Id<struct EpochTag, std::uint32_t>;  ///< Rises with every resume of a session; fences older frames.
using Lsn = Id<struct LsnTag>;              ///< Log sequence number: dense count of records; 0 = before the first.
using SegmentId = Id<struct SegmentIdTag>;  ///< A log segment; rises by one; never reused (files are recycled).
using HandleId = Id<struct HandleIdTag, std::uint32_t>;  ///< A queue as opened by one session; 0 = none.

}  // namespace telpher

template <class Tag, class Rep>
struct std::hash<telpher::Id<Tag, Rep>> {
    std::size_t operator()(telpher::Id<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value()); }
};
