// A view of immutable bytes that keeps their owner alive: how a batch travels from the socket to the log and to many
// consumers without a copy. Copying a Slice shares the bytes; any thread may drop the last one, so an owner's
// destructor must touch no socket and take no lock.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "proto/base/bytes.h"

namespace telpher {

class Slice {
public:
    Slice() = default;
    Slice(std::shared_ptr<const void> owner, Bytes bytes) : owner_(std::move(owner)), bytes_(bytes) {}

    /// Takes over `bytes`.
    static Slice own(std::vector<std::byte> bytes) {
        auto held = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
        const Bytes view(held->data(), held->size());
        return {std::move(held), view};
    }
    static Slice own(std::string bytes) {
        auto held = std::make_shared<const std::string>(std::move(bytes));
        const Bytes view = as_bytes(*held);
        return {std::move(held), view};
    }

    /// Copies `bytes` (for small frames: holding a small part of a large receive buffer would pin all of it).
    static Slice copy(Bytes bytes) { return own(std::vector<std::byte>(bytes.begin(), bytes.end())); }

    [[nodiscard]] Bytes bytes() const { return bytes_; }
    [[nodiscard]] const std::byte* data() const { return bytes_.data(); }
    [[nodiscard]] std::size_t size() const { return bytes_.size(); }
    [[nodiscard]] bool empty() const { return bytes_.empty(); }

    /// The part [from, from + count); shares the owner. The caller has checked the bounds.
    [[nodiscard]] Slice part(std::size_t from, std::size_t count) const {
        return {owner_, bytes_.subspan(from, count)};
    }

private:
    std::shared_ptr<const void> owner_;
    Bytes bytes_;
};

}  // namespace telpher
