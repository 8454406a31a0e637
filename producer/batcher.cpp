#include "producer/batcher.h"

#include <algorithm>

#include "proto/base/check.h"

namespace telpher::producer {
namespace {

constexpr std::size_t kSpareMax = 4;  ///< Builders kept for the next batches.

std::uint64_t end_of(const Batcher::Unsent& batch) { return batch.first + batch.builder.count(); }

}  // namespace

bool Batcher::append(std::uint64_t sequence, const batch::RecordIn& record, Under under) {
    bool filled = false;
    Unsent* last = batches_.empty() ? nullptr : &batches_.back();
    if (last == nullptr || last->full || under.delivery != 0 || end_of(*last) != sequence) {
        filled = last != nullptr && !last->full;
        if (filled) last->full = true;
        last = &open(sequence, under);
    }
    std::size_t before = last->builder.bytes();
    if (!last->builder.append(record, target_bytes_)) {
        last->full = true;
        filled = true;
        last = &open(sequence, under);
        before = last->builder.bytes();
        TELPHER_CHECK(last->builder.append(record, target_bytes_));
    }
    bytes_ += last->builder.bytes() - before;
    if (under.delivery != 0 || last->builder.bytes() >= target_bytes_) {
        last->full = true;
        filled = true;
    }
    return filled;
}

Batcher::Unsent& Batcher::open(std::uint64_t sequence, Under under) {
    batch::Builder builder;
    if (!spare_.empty()) {
        builder = std::move(spare_.back());
        spare_.pop_back();
    }
    batches_.push_back({std::move(builder), sequence, under, false});
    bytes_ += batch::kHeaderBytes;
    return batches_.back();
}

std::optional<Batcher::Unsent> Batcher::take(bool partial) {
    if (batches_.empty() || !(batches_.front().full || partial)) return std::nullopt;
    Unsent batch = std::move(batches_.front());
    batches_.pop_front();
    bytes_ -= batch.builder.bytes();
    return batch;
}

void Batcher::recycle(batch::Builder builder) {
    if (spare_.size() < kSpareMax) spare_.push_back(std::move(builder));
}

void Batcher::cancel(Range range, std::vector<Range>& removed) {
    split(range.first);
    split(range.end);
    for (auto batch = batches_.begin(); batch != batches_.end();) {
        if (batch->first >= range.first && end_of(*batch) <= range.end) {
            removed.push_back({batch->first, end_of(*batch)});
            bytes_ -= batch->builder.bytes();
            batch = batches_.erase(batch);
        } else {
            ++batch;
        }
    }
}

/// Makes `sequence` the first of a batch if it lies within one.
void Batcher::split(std::uint64_t sequence) {
    const auto batch = std::find_if(batches_.begin(), batches_.end(), [sequence](const Unsent& each) {
        return each.first < sequence && sequence < end_of(each);
    });
    if (batch == batches_.end()) return;
    auto rest = batch->builder.split(static_cast<std::uint32_t>(sequence - batch->first));
    bytes_ += batch::kHeaderBytes;
    Unsent second{std::move(rest), sequence, batch->under, batch->full};
    batch->full = true;  // Only the last one is open.
    batches_.insert(std::next(batch), std::move(second));
}

}  // namespace telpher::producer
