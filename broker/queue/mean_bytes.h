// How the bytes of a batch are shared out to its messages: message i counts floor((i+1) * bytes / count) - floor(i *
// bytes / count), so that the sum over any run is exact and the whole batch sums to its bytes. A value; any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "proto/base/check.h"

namespace telpher::queue {

class MeanBytes {
public:
    MeanBytes(std::uint64_t count, std::uint64_t bytes) : count_(count), bytes_(bytes) { TELPHER_CHECK(count > 0); }

    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

    /// What each message weighs, if all weigh the same.
    [[nodiscard]] std::optional<std::uint64_t> each() const {
        return bytes_ % count_ == 0 ? std::optional(bytes_ / count_) : std::nullopt;
    }
    /// Bytes of the `n` messages from index `first` on.
    [[nodiscard]] std::uint64_t of(std::uint64_t first, std::uint64_t n) const {
        return below(first + n) - below(first);
    }

    /// The most messages from index `first` on that are not more than `limit` bytes.
    [[nodiscard]] std::uint64_t fitting(std::uint64_t first, std::uint64_t limit) const {
        const std::uint64_t start = below(first);
        if (limit >= bytes_ - start) return count_ - first;
        // floor(x * bytes / count) <= top  <=>  x <= ((top + 1) * count - 1) / bytes
        const Wide x = (Wide{start + limit + 1} * count_ - 1) / bytes_;
        return static_cast<std::uint64_t>(x) - first;
    }

    /// The fewest messages from index `first` on that are at least `need` bytes; all there are if they are less.
    [[nodiscard]] std::uint64_t reaching(std::uint64_t first, std::uint64_t need) const {
        const std::uint64_t start = below(first);
        if (need == 0) return 0;
        if (need > bytes_ - start) return count_ - first;
        const Wide x = (Wide{start + need} * count_ + bytes_ - 1) / bytes_;
        return static_cast<std::uint64_t>(x) - first;
    }

private:
    __extension__ using Wide = unsigned __int128;  // count * bytes may pass 64 bits

    [[nodiscard]] std::uint64_t below(std::uint64_t index) const {
        TELPHER_CHECK(index <= count_);
        if (((count_ | bytes_) >> 32) == 0) return index * bytes_ / count_;  // many times cheaper
        return static_cast<std::uint64_t>(Wide{index} * bytes_ / count_);
    }

    std::uint64_t count_;
    std::uint64_t bytes_;
};

}  // namespace telpher::queue
