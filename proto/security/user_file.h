// What the broker knows of a user: public keys and rights, one file NAME.toml a user in the users directory. Nothing in
// it is secret. Plain functions; any thread.
//
//     public_keys = ["..."]          # the newest first; several while a key is being replaced
//     put   = ["jobs", "jobs.*"]     # patterns of queue names: * any text, ? one character
//     get   = []
//     admin = []                     # everything with these queues
//     [quota]                        # of the queues that the user made; what is absent is not bounded
//     queues = 10
//     messages = 1000000             # the sum of their maxsize
//     bytes = "10GiB"                # the sum of their max_bytes, which each must have then
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "telpher/error.h"

namespace telpher::security {

/// Patterns of queue names by what the user may do there.
struct Rules {
    std::vector<std::string> put;
    std::vector<std::string> get;
    std::vector<std::string> admin;
    bool operator==(const Rules&) const = default;
};

/// What the queues of a user may be allowed to hold, all together; 0: as much as they like.
struct Quota {
    std::uint64_t queues = 0;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    bool operator==(const Quota&) const = default;
};

struct UserFile {
    std::string name;
    std::vector<std::string> public_keys;  ///< Z85.
    Rules rules;
    Quota quota = {};
    bool operator==(const UserFile&) const = default;
};

/// 1 to 64 of A-Z a-z 0-9 . _ - and not beginning with . or -
bool legal_user_name(std::string_view name);
/// 1 to 255 of what names of queues are made of, * and ?
bool legal_pattern(std::string_view pattern);

/// `dir`/NAME.toml.
std::filesystem::path user_path(const std::filesystem::path& dir, std::string_view name);
/// kConfig, with the place, if it is no user file; its name is the user's.
Result<UserFile> read_user_file(const std::filesystem::path& path);
/// Every user of a directory, by name. Files that end otherwise than in .toml, or begin with a dot, are none. kConfig:
/// one of them is wrong, or two have the same key.
Result<std::vector<UserFile>> read_users(const std::filesystem::path& dir);
std::string format(const UserFile& user);

}  // namespace telpher::security
