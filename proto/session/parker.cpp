#include "proto/session/parker.h"

#include <memory>
#include <mutex>
#include <vector>

namespace telpher::session {
namespace {

/// Parkers of threads that ended. Never destroyed: threads may outlive static objects.
struct Pool {
    std::mutex mutex;
    std::vector<std::unique_ptr<Parker>> free;
};

Pool& pool() {
    static auto* const pool = new Pool;
    return *pool;
}

/// Holds a thread's parker while the thread lives.
class Lease {
public:
    Lease() {
        const std::lock_guard lock(pool().mutex);
        if (pool().free.empty()) {
            parker_ = std::make_unique<Parker>();
        } else {
            parker_ = std::move(pool().free.back());
            pool().free.pop_back();
        }
    }
    ~Lease() {
        const std::lock_guard lock(pool().mutex);
        pool().free.push_back(std::move(parker_));
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    Parker& parker() { return *parker_; }

private:
    std::unique_ptr<Parker> parker_;
};

}  // namespace

Parker& Parker::mine() {
    thread_local Lease lease;
    return lease.parker();
}

}  // namespace telpher::session
