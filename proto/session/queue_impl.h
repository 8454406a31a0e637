// What a Queue is inside: the open queue, and its parts, made when they are first used. Shared by the copies of a Queue
// and by what was made of it; any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "proto/session/engine.h"
#include "proto/session/queue_link.h"
#include "telpher/client.h"

namespace telpher {

struct Queue::Impl {
    Impl(std::shared_ptr<session::Engine> used_engine, std::shared_ptr<session::QueueLink> opened,
         std::string named = {})
        : engine(std::move(used_engine)), link(std::move(opened)), producer_name(std::move(named)) {}
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl() { engine->release(std::move(link)); }

    [[nodiscard]] const std::string& name() const { return link->name(); }

    /// A part that is made when it is first used.
    struct Slot {
        std::atomic<session::Part*> made{nullptr};
        std::shared_ptr<session::Part> part;  ///< Guarded by mutex until it is made; never changes after.
    };

    /// The part in `slot` (puts or gets below), made by `make()` and added to the queue if it is not there yet. Not
    /// after fork().
    template <class P, class Make>
    std::shared_ptr<P> part(Slot& slot, Make make) {
        const std::lock_guard lock(mutex);
        if (slot.part == nullptr) {
            slot.part = make();
            engine->add(link, slot.part);
            slot.made.store(slot.part.get(), std::memory_order_release);
        }
        return std::static_pointer_cast<P>(slot.part);
    }

    const std::shared_ptr<session::Engine> engine;
    std::shared_ptr<session::QueueLink> link;
    const std::string producer_name;  ///< Empty: none.
    std::mutex mutex;
    Slot puts;  ///< The producer library's.
    Slot gets;  ///< The consumer library's.
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
                                 std::uint64_t from, Millis timeout, Peeked::State state);

}  // namespace session
}  // namespace telpher
