#include "cli/screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <sstream>

#include "proto/command/output.h"

namespace telpher::cli {
namespace {

constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";
constexpr std::string_view kHome = "\x1b[H";
constexpr std::string_view kEndOfLine = "\x1b[K\r\n";
constexpr std::string_view kEndOfScreen = "\x1b[J";

winsize size_of_terminal() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) size = {24, 80, 0, 0};
    return size;
}

/// At most `columns` visible characters; colours are not visible.
std::string cut(const std::string& line, std::size_t columns) {
    std::string text;
    bool escape = false;
    for (const char c : line) {
        if (c == '\x1b') escape = true;
        if (!escape && columns == 0) continue;
        if (!escape) --columns;
        text += c;
        if (escape && c == 'm') escape = false;
    }
    return text;
}

}  // namespace

bool Screen::there() { return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1; }

Screen::Screen() {
    ::tcgetattr(STDIN_FILENO, &before_);
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    command::write_all(STDOUT_FILENO, kEnter);
}

Screen::~Screen() {
    command::write_all(STDOUT_FILENO, kLeave);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

std::size_t Screen::lines() const { return size_of_terminal().ws_row; }
std::size_t Screen::columns() const { return size_of_terminal().ws_col; }

bool Screen::show(const std::string& text) const {
    std::string frame(kHome);
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) frame.append(cut(line, columns())).append(kEndOfLine);
    return command::write_all(STDOUT_FILENO, frame.append(kEndOfScreen));
}

}  // namespace telpher::cli
