// The seam for cold reads: bodies that left the cache come back from the log without the shard waiting. ColdReader does
// it with a thread; the simulation at once.
#pragma once

#include <optional>

#include "broker/batch_store.h"
#include "broker/log/log.h"
#include "telpher/error.h"

namespace telpher::broker {

class BodyLoader {
public:
    struct Loaded {
        BatchRef batch;
        Result<log::StoredRecord> record;
    };
    virtual ~BodyLoader() = default;
    /// Asks for the body of a batch, which is not in memory only (shard thread).
    virtual void request(BatchRef batch) = 0;
    /// The next one that came back; nullopt: none now (shard thread).
    virtual std::optional<Loaded> next_loaded() = 0;
};

}  // namespace telpher::broker
