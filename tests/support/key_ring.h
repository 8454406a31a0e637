// Keys and users of a broker under test, made by the real `telpher keygen` and `telpher user`. Lives in a folder of its
// own, which must outlive the broker; used by one thread. Throws std::runtime_error if a command fails.
#pragma once

#include <string>
#include <vector>

#include "proto/security/key_file.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace telpher::test {

class KeyRing {
public:
    /// Makes the broker's key, and no user yet.
    KeyRing();

    /// For telpherd.
    [[nodiscard]] std::vector<std::string> args() const;
    /// A user and the path of its key file. `rights`: {"--put", "jobs"} and so on.
    std::string add(const std::string& name, const std::vector<std::string>& rights);
    /// Another key for the user; "--only": the older ones count no more.
    std::string rekey(const std::string& name, const std::vector<std::string>& options = {});
    void remove(const std::string& name);
    /// A key file for this broker that no user has.
    std::string stranger();
    /// The same key, for another broker's public key.
    std::string for_another_broker(const std::string& key_file);
    [[nodiscard]] std::filesystem::path users() const { return dir_.path() / "users"; }
    [[nodiscard]] std::string server_key() const { return dir_.path() / "server.key"; }

private:
    void telpher(std::vector<std::string> args);
    std::string make_key(const char* command, const std::string& name, const std::vector<std::string>& options);
    std::string fresh_path() { return dir_.path() / ("key" + std::to_string(++files_)); }

    TempDir dir_;
    int files_ = 0;
};

}  // namespace telpher::test
