#include "proto/command/exit.h"

#include <cstdio>

namespace telpher::command {

int exit_status(Code code) {
    switch (code) {
        case Code::kOk:
        case Code::kEnd:
            return kExitOk;
        case Code::kEmpty:
            return kExitEmpty;
        case Code::kUsage:
        case Code::kBadName:
        case Code::kBadOption:
            return kExitUsage;
        case Code::kUnreachable:
        case Code::kRestarting:
            return kExitUnavailable;
        case Code::kDenied:
        case Code::kAuth:
            return kExitDenied;
        case Code::kConfig:
            return kExitConfig;
        default:
            return info(code).retryable ? kExitTemporary : kExitFailed;
    }
}

std::string_view hint(Code code) {
    switch (code) {
        case Code::kFull:
        case Code::kDiskFull:
            return "try again when there is room";
        case Code::kSealed:
            return "`telpher queue reopen QUEUE` starts its next generation";
        case Code::kFenced:
            return "somebody else was started with the same --name";
        case Code::kTimeout:
            return "try again, or give it longer with --timeout";
        case Code::kNotFound:
            return "`telpher queue ls` shows all; make it with `telpher queue create`, or wait for it with "
                   "--wait-queue";
        case Code::kQueueMismatch:
            return "`telpher queue show QUEUE` prints its options; `telpher queue set` changes them";
        case Code::kBadName:
            return "letters, digits and . _ - / { }, not first a . or /, at most 255 bytes";
        case Code::kBusy:
            return "--force removes it with what is in it";
        case Code::kUnknown:
            return "the message may or may not be in the queue";
        case Code::kUnreachable:
            return "is telpherd running? -s URL or TELPHER_SERVER choose another broker";
        case Code::kDenied:
            return "who runs the broker grants rights: `telpher user show NAME`";
        case Code::kUsage:
            return "--help shows how";
        default:
            return {};
    }
}

std::string error_line(const Error& error, std::string_view hint_text) {
    if (hint_text.empty()) hint_text = hint(error.code());
    std::string line = "telpher: " + error.message();
    if (!hint_text.empty()) line.append(": ").append(hint_text);
    return line;
}

int print_error(const Error& error, std::string_view hint_text) {
    // One write per line, so that lines of several processes do not mix.
    const std::string line = error_line(error, hint_text) + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
    return exit_status(error.code());
}

void print_note(std::string_view text) {
    const std::string line = "telpher: " + std::string(text) + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace telpher::command
