#include "producer/folder_watch.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace telpher {
namespace {

constexpr Millis kLookEvery{1'000};

}  // namespace

void FolderWatch::begin() {
    if (!notify_.valid()) notify_ = OwnedFd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!notify_.valid()) return;
    watch_ = ::inotify_add_watch(notify_.get(), folder_.c_str(),
                                 IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR);
}

void FolderWatch::wait(int stop_fd, Millis at_most) {
    if (watch_ < 0) {
        begin();
        if (watch_ >= 0) return;  // it may have changed before
    }
    std::array<pollfd, 2> waits{pollfd{stop_fd, POLLIN, 0}, pollfd{notify_.get(), POLLIN, 0}};
    const auto limit = static_cast<int>(std::clamp(at_most, Millis{0}, kLookEvery).count());
    if (::poll(waits.data(), waits.size(), limit) <= 0 || waits[1].revents == 0) return;
    std::array<char, 16 * 1024> events{};
    while (::read(notify_.get(), events.data(), events.size()) > 0) continue;
}

}  // namespace telpher
