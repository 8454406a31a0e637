// What this process uses, as the kernel says it. Any thread; reads /proc.
#pragma once

#include <cstdint>

namespace telpher::broker {

struct ProcessUsage {
    std::uint64_t cpu_us = 0;  ///< User and system, of all threads.
    std::uint64_t resident_bytes = 0;
    std::uint64_t virtual_bytes = 0;
    std::uint64_t threads = 0;
    std::uint64_t descriptors = 0;
    std::uint64_t descriptors_max = 0;
    double started_seconds = 0;  ///< Since 1970-01-01; 0: not known.
};

/// Memory and processor time: cheap. The rest stays 0.
ProcessUsage process_usage();
/// All of it; lists the descriptors.
ProcessUsage full_process_usage();

}  // namespace telpher::broker
