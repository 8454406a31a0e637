// Cuts an input (file, pipe, terminal) into records: lines, NUL-terminated, length-prefixed, or all of it. One reader
// per input, used by one thread; owns neither descriptor. Never holds more than one record and one read beyond it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "telpher/error.h"

namespace telpher {

enum class Framing : std::uint8_t {
    kWhole,           ///< The whole input is one record.
    kLines,           ///< '\n' ends a record; the last one may lack it.
    kNull,            ///< '\0' ends a record; the last one may lack it.
    kLengthPrefixed,  ///< 4 bytes, little endian, say how many follow.
};

class RecordReader {
public:
    /// `stop_fd`: when it becomes readable, next() answers kStopped (-1: none).
    RecordReader(int fd, int stop_fd, Framing framing) : fd_(fd), stop_fd_(stop_fd), framing_(framing) {}

    /// The next record, valid until the next call. kEnd: no more. kStopped. kTooLarge: a record over
    /// limits::kMessageBytesMax. kIo: a read failed, or the input ends inside a length-prefixed record.
    Result<std::string_view> next();

    /// Bytes of the records given out so far, with what separates them.
    [[nodiscard]] std::uint64_t consumed_bytes() const { return consumed_; }

private:
    /// A record of `size` bytes, after `skip` and before `tail` bytes that only frame it.
    std::string_view take(std::size_t skip, std::size_t size, std::size_t tail);
    Result<bool> fill();
    Result<bool> wait_readable() const;
    Result<std::string_view> next_delimited(char delimiter);
    Result<std::string_view> next_prefixed();
    Result<std::string_view> next_whole();

    int fd_, stop_fd_;
    Framing framing_;
    std::string buffer_;
    std::size_t begin_ = 0;    // of what is not given out yet
    std::size_t scanned_ = 0;  // from begin_: known to hold no delimiter
    std::uint64_t consumed_ = 0;
    bool ended_ = false;
};

}  // namespace telpher
