#include "producer/follow_state.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "proto/command/output.h"

namespace telpher {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;

Json file_json(const FollowedFile& file) {
    return {{"name", file.name},
            {"device", file.identity.device},
            {"inode", file.identity.inode},
            {"head_bytes", file.identity.head_bytes},
            {"head_hash", file.identity.head_hash},
            {"first", file.first},
            {"record", file.record},
            {"offset", file.offset},
            {"tail_bytes", file.tail.bytes},
            {"tail_hash", file.tail.hash},
            {"changed_ns", file.changed_ns}};
}

/// A whole number from 0 on: others would be converted to anything.
std::uint64_t number(const Json& json, const char* key) {
    const Json& value = json.at(key);
    if (!value.is_number_unsigned()) throw std::out_of_range(key);
    return value.get<std::uint64_t>();
}

FollowedFile file_of(const Json& json) {
    FollowedFile file;
    file.name = json.at("name").get<std::string>();
    file.identity.device = number(json, "device");
    file.identity.inode = number(json, "inode");
    file.identity.head_bytes = number(json, "head_bytes");
    file.identity.head_hash = number(json, "head_hash");
    file.first = number(json, "first");
    file.record = number(json, "record");
    file.offset = number(json, "offset");
    // An older state file has none of these.
    if (json.contains("tail_bytes")) file.tail.bytes = number(json, "tail_bytes");
    if (json.contains("tail_hash")) file.tail.hash = number(json, "tail_hash");
    if (json.contains("changed_ns")) {
        const Json& changed = json.at("changed_ns");
        if (!changed.is_number_integer()) throw std::out_of_range("changed_ns");
        file.changed_ns = changed.get<std::int64_t>();
    }
    if (file.identity.head_bytes > FileIdentity::kHeadBytes) throw std::out_of_range("head_bytes");
    return file;
}

/// Names of files are bytes; in JSON they must be UTF-8. Latin-1 keeps every byte.
std::string to_latin1(const std::string& utf8) {
    std::string bytes;
    for (std::size_t i = 0; i < utf8.size(); ++i) {
        auto byte = static_cast<unsigned char>(utf8[i]);
        if (byte >= 0xc0 && i + 1 < utf8.size()) {
            byte = static_cast<unsigned char>((byte & 0x03U) << 6U | (static_cast<unsigned char>(utf8[++i]) & 0x3fU));
        }
        bytes.push_back(static_cast<char>(byte));
    }
    return bytes;
}

std::string from_latin1(const std::string& bytes) {
    std::string utf8;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80) {
            utf8.push_back(c);
        } else {
            utf8.push_back(static_cast<char>(0xc0U | byte >> 6U));
            utf8.push_back(static_cast<char>(0x80U | (byte & 0x3fU)));
        }
    }
    return utf8;
}

std::string folder_of(const std::string& path) {
    const auto folder = std::filesystem::path(path).parent_path();
    return folder.empty() ? "." : folder.string();
}

}  // namespace

Result<void> FollowState::load() {
    std::ifstream in(path_, std::ios::binary);
    if (!in) return errno == ENOENT ? Result<void>() : io_failure(path_);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    try {
        const Json json = Json::parse(text);
        if (json.at("telpher_follow_state") != kVersion)
            return fail(Code::kConfig, path_ + ": a version of the state file this program does not know");
        if (to_latin1(json.at("owner").get<std::string>()) != owner_)
            return fail(Code::kConfig, path_ + ": the state of another producer: " + json.at("owner").dump());
        files.clear();
        for (const Json& file : json.at("files")) {
            files.push_back(file_of(file));
            files.back().name = to_latin1(files.back().name);
            files.back().head = to_latin1(file.value("head", std::string())).substr(0, FollowedFile::kHeadKept);
        }
    } catch (const std::exception& error) {
        return fail(Code::kConfig, path_ + ": not a state file: " + error.what());
    }
    return {};
}

Result<void> FollowState::save() const {
    Json list = Json::array();
    for (const FollowedFile& file : files) {
        Json json = file_json(file);
        json["name"] = from_latin1(file.name);
        if (!file.head.empty()) json["head"] = from_latin1(file.head);
        list.push_back(std::move(json));
    }
    const Json json{{"telpher_follow_state", kVersion}, {"owner", from_latin1(owner_)}, {"files", std::move(list)}};
    const std::string next = path_ + ".new";
    const OwnedFd fd(::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd.valid()) return io_failure(next);
    if (!command::write_all(fd.get(), json.dump(1) + "\n")) return io_failure(next);
    if (::fsync(fd.get()) != 0) return io_failure(next);
    if (std::rename(next.c_str(), path_.c_str()) != 0) return io_failure(path_);
    return sync_folder(folder_of(path_));
}

Result<void> sync_folder(const std::string& path) {
    const OwnedFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid() || ::fsync(fd.get()) != 0) return io_failure(path);
    return {};
}

Result<std::string> default_state_path(const std::string& queue, const std::string& name) {
    const auto variable = [](const char* called) {
        const char* value = std::getenv(called);
        return std::filesystem::path(value == nullptr ? "" : value);
    };
    std::filesystem::path folder = variable("STATE_DIRECTORY");
    if (folder.empty()) {
        folder = variable("XDG_STATE_HOME");
        if (folder.empty() && !variable("HOME").empty()) folder = variable("HOME") / ".local/state";
        if (folder.empty()) return fail(Code::kUsage, "no folder for the state file: give --state FILE");
        folder /= "telpher";
    }
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return fail(Code::kIo, folder.string() + ": " + error.message());
    const std::string key = queue + '\n' + name;
    char hash[17];
    std::snprintf(hash, sizeof hash, "%016llx",
                  static_cast<unsigned long long>(XXH3_64bits(key.data(), key.size())));  // NOLINT(google-runtime-int)
    return (folder / ("producer-" + std::string(hash) + ".state")).string();
}

}  // namespace telpher
