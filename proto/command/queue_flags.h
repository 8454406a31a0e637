// Options of a queue as people write them: flags of `queue create|set`, and "maxsize=50,on-full=reject" of `put
// --create`. Pure functions; any thread.
#pragma once

#include <CLI/App.hpp>
#include <string_view>

#include "telpher/error.h"
#include "telpher/options.h"

namespace telpher::command {

/// "block", "reject", "drop-oldest".
std::string_view name_of(OnFull policy);
/// "fsync", "async", "memory".
std::string_view name_of(Durability durability);

/// Sets one option; `key` is maxsize, max-bytes, on-full, durability, lease, max-attempts, backoff or backoff-max ('_'
/// is as good as '-').
Result<void> set_queue_option(QueueOptions& options, std::string_view key, std::string_view value);

/// A list of options that has none.
inline constexpr std::string_view kNoOptions = ",";

/// "maxsize=50,on-full=reject"; empty items mean nothing.
Result<void> set_queue_options(QueueOptions& options, std::string_view text);
Result<QueueOptions> parse_queue_options(std::string_view text);

/// --maxsize, --max-bytes, --on-full, --durability, --lease, --max-attempts, --backoff, --backoff-max, or the same as
/// key=value, into `options`. Not to be added before the command's own positionals.
void add_queue_flags(CLI::App& app, QueueOptions& options);

}  // namespace telpher::command
