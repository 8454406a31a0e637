// Opens a log folder: reads and judges everything, and only if nothing forbids it repairs what a crash left (drops that
// were not finished, an unconfirmed tail) and says where the log goes on. One thread, at start.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "broker/log/committer.h"
#include "broker/log/inspect.h"
#include "broker/log/log.h"
#include "broker/log/mark.h"

namespace telpher::log {

struct Recovered {
    Recovery summary;
    std::vector<InspectedSegment> segments;
    CommitStart start;
    PoolOptions pool;
    std::deque<std::string> spares;
    MarkFile mark;
};

/// What a start reads of a log.
struct Reading {
    const FoundCheckpoint* checkpoint = nullptr;  ///< Of the survey; what is before it was not read.
    Inspection inspection;
};
/// Reads from the newest usable checkpoint on, then asks `accept`; changes nothing. Errors: the sink's, accept's, kIo,
/// and of damage that forbids a start kCorrupt or kFormat.
Result<Reading> read_as_start(FileSystem& files, const std::string& dir, const Survey& found, const RecordSink& sink,
                              const Acceptance& accept);
/// kCorrupt or kFormat if a finding forbids a start.
Result<void> refuse_damage(const std::string& dir, const Inspection& inspection);

/// Errors: kCorrupt and kFormat (nothing was changed), the sink's and accept's own (the same), kIo.
Result<Recovered> recover(FileSystem& files, const LogOptions& options, const RecordSink& sink,
                          const Acceptance& accept);

}  // namespace telpher::log
