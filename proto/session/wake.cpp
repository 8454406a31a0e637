#include "proto/session/wake.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "proto/base/check.h"

namespace telpher::session {

Wake::Wake() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    TELPHER_CHECK_MSG(fd_ >= 0, "eventfd: out of descriptors");
}

Wake::~Wake() { close(fd_); }

void Wake::notify() {
    if (!sleeping_.exchange(false)) return;
    const std::uint64_t one = 1;
    // Fails only if the counter is full, and then the sleeper wakes anyway.
    [[maybe_unused]] const auto written = write(fd_, &one, sizeof one);
}

void Wake::clear() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto taken = read(fd_, &count, sizeof count);
}

}  // namespace telpher::session
