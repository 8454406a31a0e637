// A file that is there whole or not at all: written under another name beside it, synced, then given its name. One
// thread; without commit() nothing is left.
#pragma once

#include <fstream>
#include <string>

#include "telpher/error.h"

namespace telpher::broker {

class OutputFile {
public:
    /// Begins a file of mode 0600 that will be `path`, and takes the place of the file that is there then. kUsage: it
    /// is no file (a device, a link); kIo, kDiskFull.
    static Result<OutputFile> create(const std::string& path);
    OutputFile(OutputFile&& other) noexcept;
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;
    OutputFile& operator=(OutputFile&&) = delete;
    ~OutputFile();

    [[nodiscard]] std::ostream& stream() { return out_; }
    /// Durable, name and all. kIo, kDiskFull.
    Result<void> commit();

private:
    OutputFile(std::string path, std::string temporary);

    std::string path_;
    std::string temporary_;  ///< Empty: it is not there any more.
    std::ofstream out_;
};

}  // namespace telpher::broker
