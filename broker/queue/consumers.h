// Who is attached, what each may still take, and whose turn it is. Owned by one Queue.
//
// Invariant: hungry_ holds exactly the consumers that have credit.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "broker/queue/queue.h"

namespace telpher::queue {

class Consumers {
public:
    /// What a consumer took and may take, both counted since it attached.
    struct Credit {
        std::uint64_t messages = 0;
        std::uint64_t bytes = 0;
        std::uint64_t messages_max = 0;
        std::uint64_t bytes_max = 0;
        bool holes = false;             ///< Takes ranges of which some messages are gone.
        std::uint64_t bytes_asked = 0;  ///< Granted as it is used: what nobody reads must not fill the memory.
        [[nodiscard]] bool left() const { return messages < messages_max && bytes < bytes_max; }
    };

    void attach(ConsumerId id, bool holes);
    void detach(ConsumerId id);
    [[nodiscard]] bool attached(ConsumerId id) const { return all_.contains(id); }
    [[nodiscard]] const Credit& credit(ConsumerId id) const;
    /// Raises the limits (lower ones are ignored).
    void raise(ConsumerId id, std::uint64_t messages_max, std::uint64_t bytes_max);
    /// The consumer shows that it reads: it may have as many bytes on their way again.
    void renew(ConsumerId id);
    /// The consumer was given this much.
    void gave(ConsumerId id, std::uint64_t messages, std::uint64_t bytes);

    /// So much of it never left.
    void refund(ConsumerId id, std::uint64_t messages, std::uint64_t bytes);

    /// Messages that may still be given, all in all; counts no further than `enough`.
    [[nodiscard]] std::uint64_t credit_left(std::uint64_t enough) const;
    /// How many have credit.
    [[nodiscard]] std::size_t hungry() const { return hungry_.size(); }
    /// The next one with credit, round and round from where it stopped; somebody must be hungry.
    ConsumerId next_turn();

    [[nodiscard]] const std::map<ConsumerId, Credit>& all() const { return all_; }
    void check_all() const;

private:
    Credit& at(ConsumerId id);

    std::map<ConsumerId, Credit> all_;
    std::set<ConsumerId> hungry_;
    ConsumerId last_;  // had the last turn; may be gone
};

}  // namespace telpher::queue
