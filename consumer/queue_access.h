// What the worker runtime needs of a Queue that users do not. Any thread.
#pragma once

#include <functional>
#include <memory>

#include "consumer/handler_pool.h"
#include "consumer/subscription.h"
#include "telpher/client.h"

namespace telpher {

struct QueueAccess {
    static const std::shared_ptr<Queue::Impl>& impl(const Queue& queue) { return queue.impl_; }

    /// Queue::run() with hooks. Leases are kept alive while handlers run, on the engine's thread.
    static RunResult run(Queue& queue, const RunOptions& options, const consumer::HandlerPool::Handler& handler,
                         consumer::PoolHooks& hooks);
};

}  // namespace telpher
