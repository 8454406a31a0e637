#include "proto/config/secret_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace telpher::config {
namespace {

Result<std::string> expand(const std::string& path) {
    std::string out;
    std::size_t at = 0;
    for (;;) {
        const std::size_t begin = path.find("${", at);
        if (begin == std::string::npos) return out + path.substr(at);
        const std::size_t end = path.find('}', begin);
        if (end == std::string::npos) return fail(Code::kConfig, "'" + path + "' lacks a }");
        const std::string name = path.substr(begin + 2, end - begin - 2);
        const char* value = std::getenv(name.c_str());
        if (value == nullptr || *value == '\0') {
            return fail(Code::kConfig, "'" + path + "' names $" + name + ", which is not set");
        }
        out += path.substr(at, begin - at) + value;
        at = end + 1;
    }
}

bool is_credential(std::string_view path) {
    const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
    return directory != nullptr && *directory == '/' && path.find("/../") == std::string_view::npos &&
           path.starts_with(std::string(directory) + "/");
}

}  // namespace

Result<std::string> check_secret_file(const std::string& path) {
    auto expanded = expand(path);
    if (!expanded) return expanded;
    struct stat found {};
    if (::stat(expanded->c_str(), &found) != 0) return fail(Code::kConfig, *expanded + ": " + std::strerror(errno));
    if (!S_ISREG(found.st_mode)) return fail(Code::kConfig, *expanded + " is no regular file");
    if ((found.st_mode & (S_IRWXG | S_IRWXO)) != 0 && !is_credential(*expanded)) {
        return fail(Code::kConfig, *expanded + " may be read by others than its owner: chmod 600 it");
    }
    return expanded;
}

}  // namespace telpher::config
