#include "producer/record_reader.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "proto/limits.h"

namespace telpher {
namespace {

constexpr std::size_t kReadBytes = 256 * limits::kKiB;
constexpr std::size_t kPrefixBytes = 4;

tl::unexpected<Error> io_error(const char* what) {
    return fail(Code::kIo, std::string(what) + ": " + std::strerror(errno));
}

tl::unexpected<Error> too_large() {
    return fail(Code::kTooLarge,
                "a record of the input has more than " + std::to_string(limits::kMessageBytesMax) + " bytes");
}

}  // namespace

Result<std::string_view> RecordReader::next() {
    switch (framing_) {
        case Framing::kLines:
            return next_delimited('\n');
        case Framing::kNull:
            return next_delimited('\0');
        case Framing::kLengthPrefixed:
            return next_prefixed();
        case Framing::kWhole:
            break;
    }
    return next_whole();
}

std::string_view RecordReader::take(std::size_t skip, std::size_t size, std::size_t tail) {
    const std::string_view record = std::string_view(buffer_).substr(begin_ + skip, size);
    begin_ += skip + size + tail;
    consumed_ += skip + size + tail;
    scanned_ = 0;
    return record;
}

Result<bool> RecordReader::wait_readable() const {
    std::array<pollfd, 2> waits{pollfd{fd_, POLLIN, 0}, pollfd{stop_fd_, POLLIN, 0}};
    while (::poll(waits.data(), waits.size(), -1) < 0) {
        if (errno != EINTR) return io_error("poll");
    }
    if (waits[1].revents != 0) return fail(Code::kStopped);
    return true;
}

/// Reads once. False: the input has ended.
Result<bool> RecordReader::fill() {
    if (ended_) return false;
    if (auto ready = wait_readable(); !ready) return ready;
    buffer_.erase(0, begin_);
    begin_ = 0;
    const std::size_t held = buffer_.size();
    buffer_.resize(held + kReadBytes);
    ssize_t got = 0;
    do {
        got = ::read(fd_, buffer_.data() + held, kReadBytes);
    } while (got < 0 && errno == EINTR);
    buffer_.resize(held + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got < 0) return io_error("read");
    ended_ = got == 0;
    return !ended_;
}

Result<std::string_view> RecordReader::next_delimited(char delimiter) {
    for (;;) {
        const std::string_view rest = std::string_view(buffer_).substr(begin_);
        const std::size_t at = rest.find(delimiter, scanned_);
        if (at != std::string_view::npos)
            return at > limits::kMessageBytesMax ? too_large() : Result<std::string_view>(take(0, at, 1));
        if (rest.size() > limits::kMessageBytesMax) return too_large();
        scanned_ = rest.size();
        const auto more = fill();
        if (!more) return fail(more.error());
        if (*more) continue;
        if (rest.empty()) return fail(Code::kEnd);
        return take(0, buffer_.size() - begin_, 0);
    }
}

Result<std::string_view> RecordReader::next_prefixed() {
    for (;;) {
        const std::size_t held = buffer_.size() - begin_;
        std::size_t size = 0;
        if (held >= kPrefixBytes) {
            for (std::size_t i = kPrefixBytes; i-- > 0;) {
                size = size << 8 | static_cast<unsigned char>(buffer_[begin_ + i]);
            }
            if (size > limits::kMessageBytesMax) return too_large();
            if (held - kPrefixBytes >= size) return take(kPrefixBytes, size, 0);
        }
        const auto more = fill();
        if (!more) return fail(more.error());
        if (*more) continue;
        if (held == 0) return fail(Code::kEnd);
        return fail(Code::kIo, "the input ends inside a record");
    }
}

Result<std::string_view> RecordReader::next_whole() {
    if (ended_) return fail(Code::kEnd);
    for (;;) {
        const auto more = fill();
        if (!more) return fail(more.error());
        if (!*more) return take(0, buffer_.size() - begin_, 0);
        if (buffer_.size() > limits::kMessageBytesMax) return too_large();
    }
}

}  // namespace telpher
