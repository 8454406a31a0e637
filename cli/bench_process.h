// A process of a benchmark: this program again, in another role. Told what to do over its stdin, answers in lines on
// its stdout. Owned by the thread that started it; killed if it is still there at the end.
#pragma once

#include <sys/types.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "telpher/error.h"

namespace telpher::cli {

/// Descriptor of the pacing pipe in a role: the consumer writes a byte for each message handled, the producer reads it.
inline constexpr int kPaceFd = 3;

/// A pipe whose ends are closed with it.
class Pipe {
public:
    Pipe();
    ~Pipe();
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    [[nodiscard]] int read_end() const { return ends_[0]; }
    [[nodiscard]] int write_end() const { return ends_[1]; }
    void close_read();
    void close_write();

private:
    std::array<int, 2> ends_{-1, -1};
};

/// In a role: ends with the process that started it, however that ends. False: it has ended already.
bool stay_with_parent();

class BenchProcess {
public:
    /// `words`: arguments after the program's name; `pace_fd` becomes kPaceFd (-1: none). kIo if it cannot be started.
    static Result<std::unique_ptr<BenchProcess>> start(const std::vector<std::string>& words, int pace_fd);
    ~BenchProcess();
    BenchProcess(const BenchProcess&) = delete;
    BenchProcess& operator=(const BenchProcess&) = delete;

    /// One line of it, without its end. kInternal: it ended before, kTimeout.
    Result<std::string> read_line();
    /// Gives it a line.
    void tell(const std::string& line);

private:
    BenchProcess() = default;

    Pipe orders_, answers_;
    pid_t pid_ = -1;
    std::string text_;
};

}  // namespace telpher::cli
