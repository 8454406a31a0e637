// Waits until something happens in a folder: inotify, and a look now and then for file systems that do not tell. Used
// by one thread.
#pragma once

#include <string>

#include "producer/file_identity.h"
#include "telpher/options.h"

namespace telpher {

class FolderWatch {
public:
    explicit FolderWatch(std::string folder) : folder_(std::move(folder)) {}

    /// Returns when the folder or a file in it changed since the last call, `stop_fd` is readable, or `at_most` (1 s at
    /// the most) is over.
    void wait(int stop_fd, Millis at_most);

private:
    void begin();

    const std::string folder_;
    OwnedFd notify_;
    int watch_ = -1;
};

}  // namespace telpher
