// Connections that have not said HELLO yet: how many there are, in all and from one address, and which of them has to
// go when there are too many. Owned by the shard thread (Connections). Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "proto/base/clock.h"

namespace telpher::broker {

struct StrangerLimits {
    std::size_t total = 2'048;
    std::size_t per_address = 512;
    /// A handshake takes milliseconds. One that is younger is never thrown out for a newcomer, or a crowd of honest
    /// clients would never get in; one that is older is: half-open connections keep nobody out.
    Duration young = std::chrono::seconds(1);
};

class Strangers {
public:
    explicit Strangers(StrangerLimits limits) : limits_(limits) {}

    /// A new connection. Who has to go for it (it is out of the account then): an older one, or itself.
    std::optional<int> add(int fd, std::string address, Instant now);
    /// Who goes for a newcomer when the broker is full (it is out of the account then): the eldest, unless it is young.
    std::optional<int> evict(Instant now);
    /// It has said HELLO, or is gone.
    void remove(int fd);
    [[nodiscard]] std::size_t size() const { return by_age_.size(); }
    /// Where it comes from; nullptr: it is none.
    [[nodiscard]] const std::string* address(int fd) const;

private:
    struct Stranger {
        int fd = -1;
        Instant since;
        std::string address;
    };
    using Age = std::uint64_t;  ///< A running number: lower is older.

    const StrangerLimits limits_;
    std::map<Age, Stranger> by_age_;
    std::unordered_map<int, Age> by_fd_;
    std::unordered_map<std::string, std::set<Age>> by_address_;
    Age next_ = 0;
};

/// An IPv4 address as such, though the socket listens for both kinds: "::ffff:10.0.0.3" is "10.0.0.3".
std::string without_mapping(std::string address);
/// Where a connection comes from: the address without the port; on ipc the user ("uid:1000"). Empty if it is gone.
std::string address_of(int fd);

}  // namespace telpher::broker
