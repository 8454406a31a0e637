// Passes on to our stderr what a command writes on its own, without waiting for who reads ours: a pager that stands
// still, or a full pipe, must not keep anybody from watching over the command. One per command; used by one thread,
// beside others that have their own.
#pragma once

#include <string>
#include <string_view>

namespace telpher {

class StderrRelay {
public:
    /// Passes on what can leave now; the rest waits. Only when nothing waits.
    void take(std::string_view text);
    /// True: some of what was taken has not left. Then push() does something once stderr can be written to.
    [[nodiscard]] bool waits() const { return !waiting_.empty(); }
    void push();
    /// Waits until all has left.
    void flush();

private:
    std::string waiting_;
};

}  // namespace telpher
