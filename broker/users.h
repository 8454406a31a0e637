// Who may come in: the users directory as it was read, by key and by name. Constant once made, so every thread may look
// at it; a reload makes another one (UserBook hands it over).
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "broker/rights.h"
#include "telpher/error.h"

namespace telpher::broker {

class Users {
public:
    /// No keys: who can connect at all may do everything.
    Users() = default;
    explicit Users(const std::vector<security::UserFile>& users);
    /// Errors: those of security::read_users().
    static Result<std::shared_ptr<const Users>> load(const std::filesystem::path& dir);

    /// The name of the user with this key (32 bytes); nullptr if nobody has it.
    [[nodiscard]] const std::string* find(const std::string& key) const;
    /// What a user may do; nullptr: there is no such user. Names that no key stands behind (see local_user()) may do
    /// everything.
    [[nodiscard]] std::shared_ptr<const Rights> rights_of(std::string_view user) const;
    /// Those of whom a key does not count any more in `after`.
    [[nodiscard]] std::set<std::string> lost_keys(const Users& after) const;
    [[nodiscard]] std::size_t size() const { return rights_.size(); }

    /// The name under which a peer without a key goes, by the address libzmq gives it: "uid:1000" on ipc, else empty.
    static std::string local_user(std::string_view address);

private:
    std::unordered_map<std::string, std::string> by_key_;
    std::unordered_map<std::string, std::shared_ptr<const Rights>> rights_;
    std::shared_ptr<const Rights> everything_ = std::make_shared<const Rights>(Rights::all());
};

}  // namespace telpher::broker
