// A terminal taken over for a live display: another screen, no echo, keys one by one; given back with the object, also
// after a stop by a signal. One at a time, in main()'s thread.
#pragma once

#include <termios.h>

#include <cstddef>
#include <string>

namespace telpher::cli {

class Screen {
public:
    /// Whether stdin and stdout are one.
    static bool there();
    Screen();
    ~Screen();
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    /// Lines it has now.
    [[nodiscard]] std::size_t lines() const;
    [[nodiscard]] std::size_t columns() const;
    /// Replaces what is shown; lines that are too long are cut. False: it cannot be written to.
    bool show(const std::string& text) const;

private:
    termios before_{};
};

}  // namespace telpher::cli
