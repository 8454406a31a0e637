#include "proto/security/toml_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace telpher::security {
namespace {

constexpr std::size_t kFileBytesMax = 64 * 1024;

class Descriptor {
public:
    /// O_NONBLOCK: a pipe of that name must not hold us up.
    explicit Descriptor(const char* path) : fd_(::open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int fd() const { return fd_; }

private:
    int fd_;
};

/// systemd hands credentials over read-only in a folder of the service's own; where it grants them with an access list,
/// that shows as the right of a group.
bool is_credential(const std::filesystem::path& path) {
    const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
    return folder != nullptr && *folder != '\0' && path.parent_path() == std::filesystem::path(folder);
}

Result<void> check_secrecy(const std::filesystem::path& path, const struct stat& status) {
    const unsigned allowed = is_credential(path) ? S_IRWXU | S_IRGRP : S_IRWXU;
    if ((status.st_mode & (S_IRWXU | S_IRWXG | S_IRWXO) & ~allowed) == 0) return {};
    return fail(Code::kConfig, path.string() + " holds a secret, and others than its owner may read or write it: " +
                                   "chmod 600 " + path.string());
}

}  // namespace

Result<std::string> read_small_file(const std::filesystem::path& path, bool secret) {
    const auto refuse = [&](const std::string& why) { return fail(Code::kConfig, path.string() + ": " + why); };
    const Descriptor file(path.c_str());
    if (file.fd() < 0) return refuse(std::strerror(errno));
    struct stat status {};
    if (::fstat(file.fd(), &status) != 0) return refuse(std::strerror(errno));
    if (!S_ISREG(status.st_mode)) return refuse("not a regular file");
    if (secret) {
        if (auto safe = check_secrecy(path, status); !safe) return fail(safe.error());
    }
    std::string text;
    std::array<char, 4096> part{};
    for (;;) {
        const ssize_t got = ::read(file.fd(), part.data(), part.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return refuse(std::strerror(errno));
        if (got == 0) return text;
        text.append(part.data(), static_cast<std::size_t>(got));
        if (text.size() > kFileBytesMax) return refuse("larger than 64 KiB");
    }
}

Result<toml::table> parse_toml(std::string_view text, const std::filesystem::path& path) {
    try {
        return toml::parse(text);
    } catch (const toml::parse_error& error) {
        const auto& begin = error.source().begin;
        return fail(Code::kConfig, path.string() + ":" + std::to_string(begin.line) + ":" +
                                       std::to_string(begin.column) + ": " + std::string(error.description()));
    }
}

std::string at(const std::filesystem::path& path, const toml::node& node, std::string_view why) {
    const auto& begin = node.source().begin;
    return path.string() + ":" + std::to_string(begin.line) + ":" + std::to_string(begin.column) + ": " +
           std::string(why);
}

Result<void> only_keys(const toml::table& table, std::initializer_list<std::string_view> known,
                       const std::filesystem::path& path) {
    for (const auto& [key, node] : table) {
        if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
        std::string all;
        for (const std::string_view name : known) all.append(all.empty() ? "" : ", ").append(name);
        return fail(Code::kConfig, at(path, node, "unknown key '" + std::string(key.str()) + "'; known: " + all));
    }
    return {};
}

Result<std::vector<std::string>> strings_of(const toml::table& table, std::string_view key,
                                            const std::filesystem::path& path) {
    std::vector<std::string> texts;
    const toml::node* node = table.get(key);
    if (node == nullptr) return texts;
    const toml::array* array = node->as_array();
    if (array == nullptr) return fail(Code::kConfig, at(path, *node, std::string(key) + " is a list of texts"));
    for (const toml::node& element : *array) {
        const auto text = element.value_exact<std::string>();
        if (!text) return fail(Code::kConfig, at(path, element, std::string(key) + " is a list of texts"));
        texts.push_back(*text);
    }
    return texts;
}

}  // namespace telpher::security
