#include "cli/confirm.h"

#include <unistd.h>

#include <iostream>

namespace telpher::cli {

Result<void> confirm(const std::string& question) {
    if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1) {
        return fail(Code::kUsage, "this destroys something: say --yes");
    }
    std::cerr << "telpher: " << question << " [y/N] " << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    if (answer == "y" || answer == "yes") return {};
    return fail(Code::kUsage, "not confirmed, nothing was changed");
}

}  // namespace telpher::cli
