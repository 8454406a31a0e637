#include "broker/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "broker/log/file.h"

namespace telpher::broker {
namespace {

tl::unexpected<Error> failed(const char* call, const std::string& path) {
    const int error = errno;
    const bool full = error == ENOSPC || error == EDQUOT;
    return fail(full ? Code::kDiskFull : Code::kIo,
                std::string(call) + " " + path + ": " + std::generic_category().message(error));
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
    std::error_code unknown;
    const auto there = std::filesystem::symlink_status(path, unknown).type();
    if (there != std::filesystem::file_type::not_found && there != std::filesystem::file_type::regular)
        return fail(Code::kUsage, path + " is no file that could be replaced");
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
    log::FileSystem& files = log::posix_file_system();
    const auto written = files.reuse(temporary_);
    if (!written) return fail(written.error());
    if (auto done = (*written)->sync(); !done) return done;
    if (auto done = files.rename(temporary_, path_); !done) return done;
    temporary_.clear();
    const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
    return files.sync_dir(folder.empty() ? "." : folder.string());
}

}  // namespace telpher::broker
