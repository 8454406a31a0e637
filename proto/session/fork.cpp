#include "proto/session/fork.h"

#include <pthread.h>

#include <atomic>

#include "proto/base/check.h"

namespace telpher::session {
namespace {

/// Counts the forks between the first process and this one.
std::atomic<std::uint32_t>& generation() {
    static std::atomic<std::uint32_t> count{0};
    return count;
}

void in_child() { generation().fetch_add(1, std::memory_order_relaxed); }

}  // namespace

ForkGuard::ForkGuard() {
    static const bool registered = pthread_atfork(nullptr, nullptr, &in_child) == 0;
    TELPHER_CHECK_MSG(registered, "pthread_atfork: out of memory");
    generation_ = generation().load(std::memory_order_relaxed);
}

bool ForkGuard::forked() const { return generation().load(std::memory_order_relaxed) != generation_; }

}  // namespace telpher::session
