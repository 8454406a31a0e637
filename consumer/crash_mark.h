// Marks whose handler it was when a signal ends this process: a handler for SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT
// that writes into the table of leases and lets the signal take its course (core dump included).
#pragma once

#include <cstddef>
#include <cstdint>

#include "consumer/lease_table.h"

namespace telpher::consumer {

/// From now on crashes are marked in `table`, which lives as long as the process. Once per process.
void mark_crashes(LeaseTable& table);

/// This thread is handler thread `thread` as long as the object lives; it gets a stack of its own for signals, so that
/// even a stack that ran over is marked.
class MarkedThread {
public:
    explicit MarkedThread(unsigned thread);
    MarkedThread(const MarkedThread&) = delete;
    MarkedThread& operator=(const MarkedThread&) = delete;
    ~MarkedThread();

private:
    void* stack_ = nullptr;
};

}  // namespace telpher::consumer
