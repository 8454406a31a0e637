// Messages of an export on their way into one record of the log: of one queue, of one put time, in the order of their
// numbers. Used by one thread.
#pragma once

#include <string>
#include <vector>

#include "broker/export_format.h"
#include "broker/queue/queue.h"
#include "proto/base/slice.h"
#include "proto/batch.h"

namespace telpher::broker {

class ImportedBatch {
public:
    explicit ImportedBatch(const ExportedMessage& first);

    /// Takes the next message of the queue; false if it must begin another batch.
    bool add(const ExportedMessage& message);
    /// The runs of messages of one standing.
    [[nodiscard]] const std::vector<queue::Queue::Stretch>& stretches() const { return stretches_; }
    /// The batch, with the numbers of no producer.
    [[nodiscard]] Slice seal();

    /// The due times of stretches() are wall times: this is which.
    static WallTime wall(Instant due);

private:
    static void grow(queue::Queue::Stretch& stretch, std::uint64_t bytes);
    bool append(const ExportedMessage& message);
    void note(const ExportedMessage& message, std::uint64_t bytes);

    batch::Builder builder_;
    std::optional<std::string> record_;  ///< Bytes that are no record are a batch of their own.
    WallTime put_;
    std::size_t reason_bytes_ = 0;
    std::vector<queue::Queue::Stretch> stretches_;
};

}  // namespace telpher::broker
