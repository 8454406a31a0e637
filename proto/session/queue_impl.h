// What a Queue is inside: the open queue, and its parts, made when they are first used. Shared by the copies of a Queue
// and by what was made of it; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "proto/session/engine.h"
#include "proto/session/queue_link.h"
#include "telpher/client.h"

namespace telpher {

struct Queue::Impl {
    Impl(std::shared_ptr<session::Engine> used_engine, std::shared_ptr<session::QueueLink> opened)
        : engine(std::move(used_engine)), link(std::move(opened)) {}
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl() { engine->release(std::move(link)); }

    [[nodiscard]] const std::string& name() const { return link->name(); }

    /// The part in `slot` (puts or gets below), made by `make()` and added to the queue if it is not there yet.
    template <class P, class Make>
    std::shared_ptr<P> part(std::shared_ptr<session::Part>& slot, Make make) {
        const std::lock_guard lock(mutex);
        if (slot == nullptr) {
            slot = make();
            engine->add(link, slot);
        }
        return std::static_pointer_cast<P>(slot);
    }

    const std::shared_ptr<session::Engine> engine;
    std::shared_ptr<session::QueueLink> link;
    std::mutex mutex;
    std::shared_ptr<session::Part> puts;  ///< The producer library's; guarded by mutex.
    std::shared_ptr<session::Part> gets;  ///< The consumer library's; guarded by mutex.
};

namespace session {

/// A lease that a put is made under: a message of the same queue, held by this client.
struct Under {
    std::uint64_t offset = 0;
    std::uint32_t delivery = 0;  ///< 0: under no lease.
};

/// Queue::put() under a lease. The producer library has it; the consumer library, which knows what a Message is, calls
/// it.
Result<std::uint64_t> put_under(Queue::Impl& queue, std::string_view body, Under under, const PutOptions& options);

/// Messages of queue `name` from id `from` on, page by page, without a lease.
Result<std::vector<Peeked>> peek(Engine& engine, const std::string& name, std::uint32_t messages_max,
                                 std::uint64_t from, Millis timeout);

}  // namespace session
}  // namespace telpher
