// A shard's log that nobody writes: its state, as a start would find it, and its messages. Changes no file. Used by one
// thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "broker/catalog.h"
#include "broker/log/segment_reader.h"
#include "proto/base/clock.h"
#include "proto/batch.h"

namespace telpher::broker {

class RestingLog {
public:
    /// Reads the log in `dir` as a start does, from its newest checkpoint on, and refuses what a start refuses. What
    /// may be in a consumer's hands comes back, that delivery counted, as when nobody claims it. Errors: kNotFound (no
    /// log there), kCorrupt, kFormat, kIo.
    static Result<std::unique_ptr<RestingLog>> open(log::FileSystem& files, const std::string& dir, const Clock& clock);

    /// Reads what a checkpoint spared, so that all of it is proven whole. Errors: kCorrupt, kFormat, kIo.
    Result<void> verify_all();

    [[nodiscard]] const Catalog& catalog() const { return catalog_; }
    [[nodiscard]] std::uint64_t boot() const { return boot_; }
    /// Unconfirmed bytes at its end that a start would cut, for people; empty: none.
    [[nodiscard]] const std::string& torn() const { return torn_; }
    /// What wall time an instant of the catalog is.
    [[nodiscard]] WallTime wall(Instant at) const;

    /// A run of messages of one standing, in one batch.
    struct Run {
        queue::Queue::Stretch stretch;
        const batch::View& batch;
    };
    /// Passes all messages of the queue to `take`, in the order of their numbers. Errors: those of `take`, kCorrupt,
    /// kIo.
    Result<void> each(const HostedQueue& queue, const std::function<Result<void>(const Run&)>& take);

private:
    RestingLog(log::FileSystem& files, const std::string& dir, const Clock& clock);
    Result<void> read();
    void end_holds();

    log::FileSystem& files_;
    const std::string dir_;
    Catalog catalog_;
    log::SegmentReader reader_;
    const Instant now_;
    const WallTime wall_;
    std::uint64_t boot_ = 0;
    std::string torn_;
    bool verified_ = false;  ///< All records were read.
};

}  // namespace telpher::broker
