#include "consumer/worker_book.h"

#include <utility>

namespace telpher::consumer {

void WorkerBook::began(pid_t pid, const LeaseTable& table) {
    auto mapped = LeaseTable::view(table.fd());
    if (!mapped) return;  // out of address space: this one is not counted
    const std::lock_guard lock(mutex_);
    alive_.insert_or_assign(pid, std::move(*mapped));
}

void WorkerBook::ended(pid_t pid, bool crashed, std::optional<Restart> restart) {
    const std::lock_guard lock(mutex_);
    if (auto gone = alive_.extract(pid); !gone.empty()) past_.handled.add(gone.mapped().handled());
    past_.crashes += crashed ? 1 : 0;
    if (restart) ++past_.restarts.at(static_cast<std::size_t>(*restart));
}

WorkerSample WorkerBook::sample() const {
    const std::lock_guard lock(mutex_);
    WorkerSample sample = past_;
    for (const auto& [pid, table] : alive_) {
        ++sample.processes;
        sample.taking += table.takes() ? 1 : 0;
        sample.slots += table.threads();
        sample.busy += static_cast<unsigned>(table.running().size());
        sample.handled.add(table.handled());
    }
    return sample;
}

}  // namespace telpher::consumer
