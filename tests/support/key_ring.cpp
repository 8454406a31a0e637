#include "tests/support/key_ring.h"

#include <stdexcept>

namespace telpher::test {

KeyRing::KeyRing() {
    std::filesystem::create_directory(users());
    telpher({"keygen", server_key()});
}

void KeyRing::telpher(std::vector<std::string> args) {
    const std::string command = args.front();
    const Finished done = run(program("telpher"), std::move(args), 20s);
    if (!done.ended.ok())
        throw std::runtime_error("telpher " + command + ": " + done.ended.text() + ": " + done.errors);
}

std::vector<std::string> KeyRing::args() const { return {"--server-key", server_key(), "--users", users()}; }

std::string KeyRing::make_key(const char* command, const std::string& name, const std::vector<std::string>& options) {
    const std::string path = fresh_path();
    std::vector<std::string> args{"user", command, name, "--dir", users(), "--server-key", server_key(), "--out", path};
    args.insert(args.end(), options.begin(), options.end());
    telpher(std::move(args));
    return path;
}

std::string KeyRing::add(const std::string& name, const std::vector<std::string>& rights) {
    return make_key("add", name, rights);
}

std::string KeyRing::rekey(const std::string& name, const std::vector<std::string>& options) {
    return make_key("rekey", name, options);
}

void KeyRing::remove(const std::string& name) { telpher({"user", "rm", name, "--dir", users()}); }

std::string KeyRing::stranger() {
    const std::string path = fresh_path();
    telpher({"keygen", path, "--for-server", server_key() + ".pub"});
    return path;
}

std::string KeyRing::for_another_broker(const std::string& key_file) {
    security::KeyFile keys = security::read_key_file(key_file).value();
    keys.server_public = security::make_key_pair()->public_key;
    const std::string path = fresh_path();
    if (auto done = security::write_new_file(path, format(keys, "For another broker."), 0600); !done)
        throw std::runtime_error(done.error().message());
    return path;
}

}  // namespace telpher::test
