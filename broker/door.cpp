#include "broker/door.h"

#include "broker/daemon.h"
#include "proto/security/key_file.h"
#include "proto/service/log_line.h"

namespace telpher::broker {

Result<void> Door::open(const DaemonOptions& options) {
    if (options.server_key_file.empty()) return {};
    auto key = security::read_key_file(options.server_key_file);
    if (!key) return fail(key.error());
    server_secret_ = std::move(key->pair.secret_key);
    return read_users(options);
}

Result<void> Door::read_users(const DaemonOptions& options) {
    if (server_secret_.empty()) return {};
    auto read = Users::load(options.users_dir);
    if (!read) return fail(read.error());
    const std::string count = std::to_string((*read)->size());
    users_.set(std::move(*read));
    service::log_line(spdlog::level::info, "users.read", count + " users in " + options.users_dir, {{"users", count}});
    if (count == "0") {
        service::log_line(spdlog::level::warn, "users.none",
                          "nobody can come in over tcp: `telpher user add NAME` makes a user");
    }
    return {};
}

}  // namespace telpher::broker
