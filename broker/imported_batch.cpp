#include "broker/imported_batch.h"

#include <cstring>
#include <memory>

#include "broker/journal.h"
#include "proto/base/check.h"
#include "proto/batch_layout.h"

namespace telpher::broker {
namespace {

/// The journal writes so many reasons of dead letters with one batch: half of its bound, as the last may be large.
constexpr std::size_t kReasonBytesMax = 128 * limits::kKiB;
constexpr std::int64_t kNsPerMs = 1'000'000;

queue::Queue::LiveRun standing_of(const ExportedMessage& message) {
    queue::Queue::LiveRun standing;
    standing.tries = message.tries;
    if (message.due.ms > 0) {
        standing.state = queue::Queue::Peeked::kDelayed;
        standing.due = Instant{message.due.ms * kNsPerMs};
    }
    if (message.dead) {
        standing.state = queue::Queue::Peeked::kDead;
        // Of a death without a cause nothing can be written: it is taken for the plainest.
        standing.note = std::make_shared<const queue::Death>(message.death.value_or(queue::Death()));
    }
    return standing;
}

/// A batch of one record, whatever it says.
Slice batch_of(const std::string& record, WallTime put) {
    std::vector<std::byte> bytes(batch::kHeaderBytes + batch::layout::kLengthBytes + record.size());
    store_le(bytes.data() + batch::kHeaderBytes, static_cast<std::uint32_t>(record.size()));
    std::memcpy(bytes.data() + batch::kHeaderBytes + batch::layout::kLengthBytes, record.data(), record.size());
    batch::Header header;
    header.count = 1;
    header.put_time = put;
    batch::layout::finish(bytes, header);
    return Slice::own(std::move(bytes));
}

}  // namespace

ImportedBatch::ImportedBatch(const ExportedMessage& first) : put_(first.put) {
    record_ = first.record;
    if (record_) {
        note(first, record_->size());
    } else {
        TELPHER_CHECK(append(first));
    }
}

bool ImportedBatch::add(const ExportedMessage& message) {
    if (record_ || message.record || message.put != put_ || reason_bytes_ > kReasonBytesMax ||
        stretches_.size() == Journal::kRangesPerRecord) {
        return false;
    }
    return append(message);
}

bool ImportedBatch::append(const ExportedMessage& message) {
    const std::optional<std::string_view> key = message.key;
    const batch::RecordIn record{as_bytes(message.payload), key, &message.headers};
    if (!builder_.append(record, limits::kBatchBytesMax)) return false;
    note(message, batch::record_bytes(record));
    return true;
}

void ImportedBatch::note(const ExportedMessage& message, std::uint64_t bytes) {
    queue::Queue::LiveRun standing = standing_of(message);
    if (!stretches_.empty()) {
        queue::Queue::Stretch& last = stretches_.back();
        if (last.present.front().end() == message.id && last.standing.stands_as(standing)) return grow(last, bytes);
    }
    if (standing.note) reason_bytes_ += standing.note->reason.size();
    queue::Queue::Stretch& stretch = stretches_.emplace_back();
    stretch.present = {{message.id, 0}};
    stretch.standing = std::move(standing);
    grow(stretch, bytes);
}

/// One message more, of a batch that has these messages only.
void ImportedBatch::grow(queue::Queue::Stretch& stretch, std::uint64_t bytes) {
    queue::Range& range = stretch.present.front();
    ++range.count;
    stretch.standing.span = range;
    queue::LiveBatch& stored = stretch.stored;
    stored.batch.range = range;
    stored.batch.bytes += bytes;
    stored.messages = stored.of_count = range.count;
    stored.bytes = stored.batch.bytes;
}

Slice ImportedBatch::seal() {
    if (record_) return batch_of(*record_, put_);
    return builder_.seal(ProducerId(), Sequence(), put_);
}

WallTime ImportedBatch::wall(Instant due) { return {due.ns / kNsPerMs}; }

}  // namespace telpher::broker
