// Passes text on to our stderr without waiting for who reads it: a pager that stands still, or a full pipe, must not
// keep anybody from watching over a command or a worker. One per command, one for the supervisor; used by one thread,
// beside others that have their own.
#pragma once

#include <string>
#include <string_view>

#include "proto/base/clock.h"

namespace telpher {

class StderrRelay {
public:
    /// Passes on what can leave now; the rest waits. Only when nothing waits.
    void take(std::string_view text);
    /// True: some of what was taken has not left. Then push() does something once stderr can be written to.
    [[nodiscard]] bool waits() const { return !waiting_.empty(); }
    void push();
    /// Waits until all has left, but not longer than that; what has not left then is dropped.
    void flush(Duration limit);
    /// A line of our own. While an earlier one waits it is dropped.
    void note(std::string_view line);

private:
    std::string waiting_;
};

}  // namespace telpher
