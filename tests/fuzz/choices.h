// Reads an input as a row of choices, for programs that do something with it rather than decode it: every input means
// something, and a small change of it is a small change of what is done. Once it is used up all choices are 0.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include "proto/base/bytes.h"

namespace telpher::fuzz {

class Choices {
public:
    explicit Choices(std::span<const std::uint8_t> input) : left_(input) {}
    Choices(const std::uint8_t* data, std::size_t size) : Choices(std::span(data, size)) {}

    [[nodiscard]] bool empty() const { return left_.empty(); }
    std::uint8_t byte() {
        if (left_.empty()) return 0;
        const std::uint8_t first = left_.front();
        left_ = left_.subspan(1);
        return first;
    }
    bool flag() { return (byte() & 1U) != 0; }
    /// 0..end - 1, of one byte.
    std::uint8_t below(std::uint8_t end) { return static_cast<std::uint8_t>(byte() % end); }

    /// Mostly a small number, of one byte; else an edge, or any of eight bytes.
    std::uint64_t number() {
        const std::uint8_t first = byte();
        switch (first) {
            case 0xff:
                return wide();
            case 0xfe:
                return std::numeric_limits<std::uint64_t>::max();
            case 0xfd:
                return std::uint64_t{1} << 63U;
            case 0xfc:
                return std::numeric_limits<std::uint32_t>::max();
            case 0xfb:
                return std::uint64_t{1} << below(64);
            default:
                return first;
        }
    }
    std::uint32_t number32() { return static_cast<std::uint32_t>(number()); }

    /// At most so many bytes: one byte says how many follow.
    std::string text(std::size_t bytes_max = 255) { return take(std::min<std::size_t>(byte(), bytes_max)); }
    std::string rest() { return take(left_.size()); }

private:
    std::uint64_t wide() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 8) value |= std::uint64_t{byte()} << shift;
        return value;
    }
    std::string take(std::size_t bytes) {
        bytes = std::min(bytes, left_.size());
        const std::string taken(as_text(std::as_bytes(left_.first(bytes))));
        left_ = left_.subspan(bytes);
        return taken;
    }

    std::span<const std::uint8_t> left_;
};

/// The whole input, for decoders of text.
inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return as_text(std::as_bytes(std::span(data, size)));
}

}  // namespace telpher::fuzz
