#include "broker/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

namespace telpher::broker {
namespace {

tl::unexpected<Error> failed(const char* call, const std::string& path) {
    const int error = errno;
    const bool full = error == ENOSPC || error == EDQUOT;
    return fail(full ? Code::kDiskFull : Code::kIo,
                std::string(call) + " " + path + ": " + std::generic_category().message(error));
}

/// What any descriptor of a file or folder wrote is durable.
Result<void> sync(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return failed("open", path);
    const Result<void> done = ::fsync(fd) == 0 ? Result<void>() : failed("fsync", path);
    ::close(fd);
    return done;
}

}  // namespace

OutputFile::OutputFile(std::string path, std::string temporary)
    : path_(std::move(path)), temporary_(std::move(temporary)), out_(temporary_, std::ios::binary | std::ios::trunc) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, std::string())),
      out_(std::move(other.out_)) {}

OutputFile::~OutputFile() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Result<OutputFile> OutputFile::create(const std::string& path) {
    std::string temporary = path + ".XXXXXX";
    const int fd = ::mkostemp(temporary.data(), O_CLOEXEC);
    if (fd < 0) return failed("open", path);
    ::close(fd);
    OutputFile file(path, std::move(temporary));
    if (!file.out_) return failed("open", path);
    return file;
}

Result<void> OutputFile::commit() {
    errno = 0;
    out_.close();
    if (!out_) return failed("write", path_);
    if (auto done = sync(temporary_); !done) return done;
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) return failed("rename", path_);
    temporary_.clear();
    const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
    return sync(folder.empty() ? "." : folder.string());
}

}  // namespace telpher::broker
