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

/// Errors: kCorrupt and kFormat (nothing was changed), the sink's and accept's own (the same), kIo.
Result<Recovered> recover(FileSystem& files, const LogOptions& options, const RecordSink& sink,
                          const Acceptance& accept);

}  // namespace telpher::log
