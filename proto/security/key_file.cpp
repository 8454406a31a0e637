#include "proto/security/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "proto/security/toml_file.h"

namespace telpher::security {
namespace {

Result<std::string> key_of(const toml::table& table, std::string_view name, const std::filesystem::path& path) {
    const toml::node* node = table.get(name);
    const auto text = node == nullptr ? std::nullopt : node->value_exact<std::string>();
    if (!text) return fail(Code::kConfig, at(path, table, "a key '" + std::string(name) + "' of 40 characters is due"));
    if (!decode_key(*text)) return fail(Code::kConfig, at(path, *node, "not a key: 40 characters of Z85 are meant"));
    return *text;
}

/// The section `name`; kConfig if it is not there.
Result<const toml::table*> section(const toml::table& table, std::string_view name, const std::filesystem::path& path) {
    const toml::node* node = table.get(name);
    const toml::table* section = node == nullptr ? nullptr : node->as_table();
    if (section == nullptr) {
        return fail(Code::kConfig, path.string() + ": no key file: a section [" + std::string(name) + "] is due");
    }
    return section;
}

Result<void> write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return fail(Code::kIo, std::strerror(errno));
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::fsync(fd) != 0) return fail(Code::kIo, std::strerror(errno));
    return {};
}

}  // namespace

Result<KeyPair> make_key_pair() {
    std::array<char, kKeyTextBytes + 1> open{};
    std::array<char, kKeyTextBytes + 1> secret{};
    if (zmq_curve_keypair(open.data(), secret.data()) != 0) {
        return fail(Code::kUnsupported, std::string("this build of libzmq has no CURVE: ") + zmq_strerror(errno));
    }
    return KeyPair{open.data(), secret.data()};
}

Result<std::string> decode_key(std::string_view text) {
    std::string key(kKeyBytes, '\0');
    const std::string copy(text);
    const bool good = copy.size() == kKeyTextBytes &&
                      zmq_z85_decode(reinterpret_cast<std::uint8_t*>(key.data()), copy.c_str()) != nullptr;
    if (!good) return fail(Code::kConfig, "not a key: 40 characters of Z85 are meant");
    return key;
}

Result<KeyFile> read_key_file(const std::filesystem::path& path) {
    const auto text = read_small_file(path, true);
    if (!text) return fail(text.error());
    const auto table = parse_toml(*text, path);
    if (!table) return fail(table.error());
    if (auto known = only_keys(*table, {"key", "server"}, path); !known) return fail(known.error());
    const auto key = section(*table, "key", path);
    if (!key) return fail(key.error());
    if (auto known = only_keys(**key, {"public", "secret"}, path); !known) return fail(known.error());
    auto open = key_of(**key, "public", path);
    if (!open) return fail(open.error());
    auto secret = key_of(**key, "secret", path);
    if (!secret) return fail(secret.error());
    std::array<char, kKeyTextBytes + 1> derived{};
    if (zmq_curve_public(derived.data(), secret->c_str()) != 0 || *open != derived.data()) {
        return fail(Code::kConfig, at(path, **key, "public and secret key do not belong together"));
    }
    KeyFile file{{std::move(*open), std::move(*secret)}, {}};
    if (!table->contains("server")) return file;
    const auto server = section(*table, "server", path);
    if (!server) return fail(server.error());
    if (auto known = only_keys(**server, {"public"}, path); !known) return fail(known.error());
    auto server_public = key_of(**server, "public", path);
    if (!server_public) return fail(server_public.error());
    file.server_public = std::move(*server_public);
    return file;
}

Result<std::string> read_public_key(const std::filesystem::path& path) {
    const auto text = read_small_file(path, false);
    if (!text) return fail(text.error());
    const auto table = parse_toml(*text, path);
    if (!table) return fail(table.error());
    const auto key = section(*table, "key", path);
    return key ? key_of(**key, "public", path) : fail(key.error());
}

std::string format(const KeyFile& file, std::string_view title) {
    std::string text = "# " + std::string(title) + "\n# Secret: whoever has this file is taken for its owner.\n[key]\n";
    text += "public = \"" + file.pair.public_key + "\"\nsecret = \"" + file.pair.secret_key + "\"\n";
    if (!file.server_public.empty()) text += "\n[server]\npublic = \"" + file.server_public + "\"\n";
    return text;
}

std::string format_public(std::string_view public_key, std::string_view title) {
    return "# " + std::string(title) + "\n[key]\npublic = \"" + std::string(public_key) + "\"\n";
}

Result<void> write_new_file(const std::filesystem::path& path, std::string_view text, unsigned mode) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST) return fail(Code::kConfig, path.string() + " is there already and is not changed");
    if (fd < 0) return fail(Code::kIo, path.string() + ": " + std::strerror(errno));
    auto written = write_all(fd, text);
    if (written && ::fchmod(fd, mode) != 0) written = fail(Code::kIo, std::strerror(errno));
    ::close(fd);
    if (written) return {};
    ::unlink(path.c_str());
    return fail(written.error().code(), path.string() + ": " + written.error().detail());
}

}  // namespace telpher::security
