// The commit thread's side of a log: takes what was handed over, writes it in lsn order, syncs once, publishes. Made
// with the log; after the thread has started it belongs to that thread alone. The first error is final: nothing is
// written after it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "broker/log/commit_pace.h"
#include "broker/log/handover.h"
#include "broker/log/log.h"
#include "broker/log/mark.h"
#include "broker/log/record.h"
#include "broker/log/segment_pool.h"

namespace telpher::log {

class SegmentReader;

/// Where a log goes on.
struct CommitStart {
    OpenSegment segment;    ///< Without a file if the log has no segment yet.
    std::uint64_t end = 0;  ///< Where the next record goes.
    SegmentId next_segment{1};
    std::size_t segments = 0;  ///< On disk, without spares.
};

class LogCommitter final : public Committer {
public:
    LogCommitter(Handover& shared, SegmentPool pool, MarkFile mark, SegmentReader& reader, Epoch epoch,
                 const Clock& clock, CommitStart start);

    std::size_t do_work() override;
    void wait(int timeout_ms) override;
    void stop() override;

private:
    /// The next item, or nothing: the head of a job taken, else of the next one.
    Item* head();
    void pop() { next_item_ += 1; }

    Result<std::size_t> work();
    Result<void> drop_segments();
    /// False: there is no room for it yet.
    Result<bool> start_segment(const Item& opening);
    void gather();
    Result<void> write_group();
    /// Header, meta and the padding before them go to `scratch_`; bodies are written from where they are.
    void encode_group();
    Result<void> sync_group();
    void publish_group();
    void publish_failure(const Error& error);
    void publish_counts();
    void wake() const;

    Handover& shared_;
    SegmentPool pool_;
    MarkFile mark_;
    SegmentReader& reader_;
    const Epoch epoch_;
    const Clock& clock_;

    OpenSegment segment_;
    std::uint64_t end_ = 0;  // of what was written to segment_
    SegmentId next_segment_;
    std::size_t segments_ = 0;
    Job job_;
    std::size_t next_item_ = 0;
    std::vector<Item> group_;  // records being committed, adjacent in segment_
    std::uint64_t group_bytes_ = 0;
    CommitPace pace_;
    Duration write_time_{0};  // of the group
    std::vector<std::byte> scratch_;
    std::vector<Bytes> parts_;
};

}  // namespace telpher::log
