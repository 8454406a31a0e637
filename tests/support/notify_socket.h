// The service manager's end of sd_notify(3): a datagram socket that a daemon is given as $NOTIFY_SOCKET. Used by the
// test's thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tests/support/deadline.h"
#include "tests/support/temp_dir.h"

namespace telpher::test {

class NotifySocket {
public:
    /// Throws std::runtime_error if it cannot be made.
    NotifySocket();
    NotifySocket(const NotifySocket&) = delete;
    NotifySocket& operator=(const NotifySocket&) = delete;
    ~NotifySocket();

    [[nodiscard]] std::string path() const { return (dir_.path() / "notify").string(); }
    /// The next message: lines NAME=VALUE. Nothing if none comes in time.
    std::optional<std::string> next(Duration limit);
    /// Takes messages until one contains `text`, and returns that; nothing if none does in time.
    std::optional<std::string> await(std::string_view text, Duration limit);

private:
    TempDir dir_;
    int fd_;
};

}  // namespace telpher::test
