// Exit statuses and error lines: the same in every program (docs/reference/cli.md). Pure but for print_error(); any
// thread.
#pragma once

#include <string>
#include <string_view>

#include "telpher/error.h"

namespace telpher::command {

/// The statuses of sysexits.h where they fit, 1..3 of our own, 128 + n for signal n.
enum Exit : int {
    kExitOk = 0,
    kExitFailed = 1,        ///< Failed; of a put: some messages were not confirmed.
    kExitEmpty = 2,         ///< Nothing was received in the time given.
    kExitDead = 3,          ///< All is settled, but some messages are dead.
    kExitUsage = 64,        ///< The command line makes no sense.
    kExitUnavailable = 69,  ///< No broker.
    kExitTemporary = 75,    ///< Full, timed out, busy: the same may succeed later.
    kExitDenied = 77,       ///< The broker does not let this user in, or do this.
    kExitConfig = 78,       ///< A setting is wrong, or the command of `run` cannot be executed.
    kExitSignal = 128,      ///< Plus the number of the signal.
};

/// The exit status that tells a script about `code`.
int exit_status(Code code);

/// What to try; empty if nothing can be said in general.
std::string_view hint(Code code);

/// "telpher: E_CODE: what: hint" without the end of line; the hint of the code if none is given.
std::string error_line(const Error& error, std::string_view hint_text = {});

/// Writes error_line() to stderr and returns exit_status().
int print_error(const Error& error, std::string_view hint_text = {});

/// "telpher: text" to stderr: a remark, not an error.
void print_note(std::string_view text);

}  // namespace telpher::command
