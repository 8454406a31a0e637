// What may stand next on a command line, from the options and commands of the program itself, so that completion cannot
// differ from what the program understands. Pure but for asking the broker for names; any thread.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "telpher/error.h"

namespace telpher::command {

/// A word that may stand there, and what it does.
struct Candidate {
    std::string word;
    std::string help;
};

/// Gives the names of all queues; empty if there is no broker.
using QueueNames = std::function<std::vector<std::string>()>;

/// `words`: those after the program's name, the last one being completed (perhaps empty). Empty also where a file or
/// any text may stand. `queue_names` is called only where the name of a queue may stand.
std::vector<Candidate> complete(const CLI::App& app, const std::vector<std::string>& words,
                                const QueueNames& queue_names);

/// What a shell reads at its start to complete our programs: "bash" or "zsh"; kUsage otherwise.
Result<std::string_view> completion_script(std::string_view shell);

}  // namespace telpher::command
