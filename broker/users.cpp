#include "broker/users.h"

#include "proto/base/check.h"
#include "proto/security/key_file.h"

namespace telpher::broker {
namespace {

constexpr std::string_view kUid = "uid:";
/// What libzmq calls a peer on ipc: this, then uid:gid:pid.
constexpr std::string_view kIpcPeer = "localhost:";

}  // namespace

Users::Users(const std::vector<security::UserFile>& users) {
    for (const security::UserFile& user : users) {
        for (const std::string& text : user.public_keys) {
            auto key = security::decode_key(text);
            TELPHER_CHECK(key.has_value());
            by_key_.emplace(std::move(*key), user.name);
        }
        rights_.emplace(user.name, std::make_shared<const Rights>(user.rules, user.quota));
    }
}

Result<std::shared_ptr<const Users>> Users::load(const std::filesystem::path& dir) {
    const auto users = security::read_users(dir);
    if (!users) return fail(users.error());
    return std::make_shared<const Users>(*users);
}

const std::string* Users::find(const std::string& key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : &found->second;
}

std::shared_ptr<const Rights> Users::rights_of(std::string_view user) const {
    if (user.empty() || user.starts_with(kUid)) return everything_;  // no user's name has a colon
    const auto found = rights_.find(std::string(user));
    return found == rights_.end() ? nullptr : found->second;
}

std::set<std::string> Users::lost_keys(const Users& after) const {
    std::set<std::string> users;
    for (const auto& [key, name] : by_key_) {
        const std::string* still = after.find(key);
        if (still == nullptr || *still != name) users.insert(name);
    }
    return users;
}

std::string Users::local_user(std::string_view address) {
    if (!address.starts_with(kIpcPeer)) return {};
    address.remove_prefix(kIpcPeer.size());
    return std::string(kUid) + std::string(address.substr(0, address.find(':')));
}

}  // namespace telpher::broker
