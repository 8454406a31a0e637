// Writing results to stdout: whole buffers, no stdio in between, and a reader that went away is an outcome, not a
// signal. Used by one thread at a time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/command/globals.h"
#include "telpher/error.h"

namespace telpher::command {

/// Status of a program whose reader closed the pipe: what a shell shows for SIGPIPE.
inline constexpr int kExitPipe = 128 + 13;

/// Writes all of `bytes` to descriptor `fd`. False: the reader is gone or the disk is full; errno says which.
bool write_all(int fd, std::string_view bytes);

/// write_all() to stdout; on failure the exit status to end with (quiet for a closed pipe), else 0.
int print(std::string_view text);

/// Whether stdout gets colours: --color, else only a terminal that is not "dumb", without NO_COLOR.
bool use_color(const Globals& globals);

/// Whether progress is drawn: stderr is a terminal.
bool draws_progress();

/// Rows in aligned columns. The first row is the heading.
class Table {
public:
    explicit Table(std::vector<std::string> heading) : rows_{std::move(heading)} {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    /// Columns whose cells are all numbers are aligned right.
    [[nodiscard]] std::string text(bool color) const;

private:
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace telpher::command
