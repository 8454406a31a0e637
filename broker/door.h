// Who may come in: the broker's key, the users, and the count of those who may not. Made by the main thread before the
// context of libzmq, and longer there than all that looks at it.
#pragma once

#include <string>

#include "broker/refusals.h"
#include "broker/user_book.h"
#include "telpher/error.h"

namespace telpher::broker {

struct DaemonOptions;

class Door {
public:
    /// Reads key and users, if there is to be a key. kConfig: one of the files is wrong.
    Result<void> open(const DaemonOptions& options);
    /// Reads the users again. On an error (kConfig) they stay as they are.
    Result<void> read_users(const DaemonOptions& options);

    [[nodiscard]] const UserBook& users() const { return users_; }
    [[nodiscard]] Refusals& refusals() { return refusals_; }
    /// Z85; empty: no keys, everybody comes in who can connect.
    [[nodiscard]] const std::string& server_secret() const { return server_secret_; }

private:
    UserBook users_;
    Refusals refusals_;
    std::string server_secret_;
};

}  // namespace telpher::broker
