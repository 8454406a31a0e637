// What waits for the log: confirms, deliveries, settle-confirms, answers, ends. One rule, one place: nothing that
// promises something leaves before the record that backs it is committed (fsync), written (async) or applied (memory).
// Owned by the shard thread.
//
// Actions of one durability run in the order they were added; they must look up what they act on again, since a queue
// or session may be gone by then.
#pragma once

#include <array>
#include <deque>
#include <functional>

#include "broker/queue/queue.h"
#include "proto/base/ids.h"

namespace telpher::broker {

class CommitGate {
public:
    using Action = std::function<void()>;

    /// Runs `action` when everything up to `lsn` is as safe as `durability` asks.
    void add(queue::Durability durability, Lsn lsn, Action action) {
        line(durability).push_back({lsn, std::move(action)});
    }

    /// Runs what may run; returns how many did. `safe_upto` tells what is as safe as a durability asks. Actions may add
    /// others.
    template <class SafeUpto>
    std::size_t run(SafeUpto safe_upto) {
        std::size_t ran = 0;
        for (const auto durability : {queue::Durability::kMemory, queue::Durability::kAsync, queue::Durability::kFsync})
            ran += run_line(line(durability), safe_upto(durability));
        return ran;
    }

    [[nodiscard]] bool empty() const { return lines_[0].empty() && lines_[1].empty() && lines_[2].empty(); }

private:
    struct Item {
        Lsn lsn;
        Action action;
    };
    std::deque<Item>& line(queue::Durability durability) { return lines_.at(static_cast<std::size_t>(durability) - 1); }
    static std::size_t run_line(std::deque<Item>& items, Lsn safe) {
        std::size_t ran = 0;
        while (!items.empty() && items.front().lsn <= safe) {
            const Action action = std::move(items.front().action);
            items.pop_front();
            action();
            ++ran;
        }
        return ran;
    }

    std::array<std::deque<Item>, 3> lines_;
};

}  // namespace telpher::broker
