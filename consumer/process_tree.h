// What a process and its descendants use, from /proc. Any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace telpher {

/// Resident memory of `root` and all its descendants, bytes. Pages they share count for each of them. 0: it is gone.
std::uint64_t tree_rss(pid_t root);

}  // namespace telpher
