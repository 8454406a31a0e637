#include "proto/command/output.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "proto/command/exit.h"

namespace telpher::command {
namespace {

constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kPlain = "\x1b[0m";
constexpr std::string_view kGap = "  ";

bool is_number(std::string_view cell) {
    return !cell.empty() && std::all_of(cell.begin(), cell.end(), [](char c) {
        return (c >= '0' && c <= '9') || c == ',' || c == '.' || c == '-';
    });
}

}  // namespace

bool write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

int print(std::string_view text) {
    if (write_all(STDOUT_FILENO, text)) return kExitOk;
    if (errno == EPIPE) return kExitPipe;
    print_error(Error(Code::kIo, std::string("write to stdout: ") + std::strerror(errno)));
    return kExitFailed;
}

bool use_color(const Globals& globals) {
    if (globals.color != "auto") return globals.color == "always";
    const char* no_color = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    const bool refused = no_color != nullptr && *no_color != '\0';
    const bool dumb = term == nullptr || std::string_view(term) == "dumb";
    return !refused && !dumb && ::isatty(STDOUT_FILENO) == 1;
}

bool draws_progress() { return ::isatty(STDERR_FILENO) == 1; }

std::string Table::text(bool color) const {
    const std::size_t columns = rows_.front().size();
    std::vector<std::size_t> widths(columns, 0);
    std::vector<bool> right(columns, rows_.size() > 1);
    for (const auto& row : rows_) {
        for (std::size_t c = 0; c < columns; ++c) {
            widths[c] = std::max(widths[c], row[c].size());
            if (&row != &rows_.front() && !is_number(row[c])) right[c] = false;
        }
    }
    std::string text;
    for (const auto& row : rows_) {
        const bool bold = color && &row == &rows_.front();
        if (bold) text.append(kBold);
        for (std::size_t c = 0; c < columns; ++c) {
            const std::string padding(widths[c] - row[c].size(), ' ');
            const bool last = c + 1 == columns;
            text.append(right[c] ? padding + row[c] : row[c] + (last ? "" : padding)).append(last ? "" : kGap);
        }
        if (bold) text.append(kPlain);
        text.push_back('\n');
    }
    return text;
}

}  // namespace telpher::command
