// Words that no help shows: with them shells and the build ask a program about itself. Called by main() before it
// parses.
#pragma once

#include <CLI/App.hpp>
#include <optional>

#include "proto/command/completion.h"

namespace telpher::command {

/// Answers on stdout and returns the exit status, if the first word is one of
///     __complete WORD...    what may stand in place of the last word: a line each, the word, a tab, what it does
///     __pages               the manual pages: the name of the file, and the words that __man wants for it
///     __man [COMMAND]...    the manual page, in man(7)
/// `section`: of the manual, 1 for commands, 8 for daemons of the system.
std::optional<int> answer_hidden(const CLI::App& app, int argc, const char* const* argv, int section,
                                 const QueueNames& queue_names);

}  // namespace telpher::command
