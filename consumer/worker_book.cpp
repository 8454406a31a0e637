#include "consumer/worker_book.h"

#include <fcntl.h>

#include <utility>

namespace telpher::consumer {

void WorkerBook::began(pid_t pid, const LeaseTable& table) {
    auto mapped = LeaseTable::open(::fcntl(table.fd(), F_DUPFD_CLOEXEC, 0));
    if (!mapped) return;  // out of descriptors: this one is not counted
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
        sample.taking += table.phase() == Phase::kTaking ? 1 : 0;
        sample.slots += table.threads();
        sample.busy += static_cast<unsigned>(table.running().size());
        sample.handled.add(table.handled());
    }
    return sample;
}

}  // namespace telpher::consumer
