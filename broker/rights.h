// What a user may do with a queue. Rules are patterns; they are looked at when a queue is named (HELLO sets them, OPEN
// asks them) and never for a message: an open handle knows its rights as bits. Values; any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "proto/security/user_file.h"

namespace telpher::broker {

/// What may be done with one queue.
class RightSet {
public:
    enum Right : std::uint8_t { kPut = 1, kGet = 2, kAdmin = 4, kAll = 7 };

    RightSet() = default;
    explicit RightSet(unsigned bits) : bits_(static_cast<std::uint8_t>(bits)) {}
    /// One of `rights` is among these.
    [[nodiscard]] bool any_of(unsigned rights) const { return (bits_ & rights) != 0; }
    [[nodiscard]] bool empty() const { return bits_ == 0; }
    /// What these have and `other` has not.
    [[nodiscard]] RightSet without(RightSet other) const {
        return RightSet(static_cast<unsigned>(bits_) & ~static_cast<unsigned>(other.bits_));
    }
    bool operator==(const RightSet&) const = default;

private:
    std::uint8_t bits_ = 0;
};

/// What a user may do: nothing that no rule allows.
class Rights {
public:
    explicit Rights(security::Rules rules, security::Quota quota = {}) : rules_(std::move(rules)), quota_(quota) {}
    /// Everything: who is let in without a key.
    static Rights all() { return Rights({.put = {}, .get = {}, .admin = {"*"}}); }

    [[nodiscard]] RightSet on(std::string_view queue) const;
    /// Administers some queue: may see what concerns the broker as a whole.
    [[nodiscard]] bool administers() const { return !rules_.admin.empty(); }
    [[nodiscard]] const security::Quota& quota() const { return quota_; }

private:
    security::Rules rules_;
    security::Quota quota_;
};

}  // namespace telpher::broker
