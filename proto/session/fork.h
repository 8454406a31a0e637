// Tells a child of fork() from the process that made an object. Threads and sockets do not survive fork(), so what
// depends on them must refuse to work there. One relaxed load: cheap enough for every call. Any thread.
#pragma once

#include <cstdint>

namespace telpher::session {

/// Remembers the process it was made in.
class ForkGuard {
public:
    ForkGuard();
    /// True in a child of that process.
    [[nodiscard]] bool forked() const;

private:
    std::uint32_t generation_;
};

}  // namespace telpher::session
