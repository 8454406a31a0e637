// Where `put` takes its messages from: an argument, a file or stdin, whole (--count times) or cut into records. Owned
// and used by the thread of the command.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "producer/progress.h"
#include "producer/put_command.h"
#include "producer/record_reader.h"
#include "telpher/options.h"

namespace telpher {

class PutSource {
public:
    /// kUsage: flags that exclude each other; kIo: the file cannot be read; kStopped: while stdin was read.
    static Result<std::unique_ptr<PutSource>> open(const PutFlags& flags, int stop_fd);
    ~PutSource();
    PutSource(const PutSource&) = delete;
    PutSource& operator=(const PutSource&) = delete;

    /// Exactly one message will come.
    [[nodiscard]] bool is_single() const { return !reader_ && count_ == 1; }
    /// The next body, valid until the next call; sets key and headers of `put` if the record has its own. kEnd;
    /// kStopped; kUsage: a line that is not a message.
    Result<std::string_view> next(PutOptions& put);
    /// Says in `counters` how much of the input is consumed. Any thread.
    void measure(PutCounters& counters) const;

private:
    PutSource() = default;
    Result<void> open_input(const PutFlags& flags, Framing framing, int stop_fd);
    Result<std::string_view> read_json(std::string_view line, PutOptions& put);

    int fd_ = -1;  // of a file we opened
    bool json_ = false;
    std::uint64_t input_bytes_ = 0;       // of a regular file; 0: not known
    std::optional<RecordReader> reader_;  // none: body_, count_ times
    std::string body_;
    std::uint64_t count_ = 1;
    std::uint64_t records_ = 0;
    std::atomic<std::uint64_t> done_{0};
};

}  // namespace telpher
