// What a command is told of its message: environment, the line on descriptor 3, the line on stdin of --stream. Pure but
// for the environment of this process.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace telpher {

/// Views: valid for the call.
struct CommandInput {
    std::string_view queue, key, body;
    std::uint64_t id = 0;
    std::uint32_t attempt = 0, delivery = 0;
    std::vector<std::pair<std::string_view, std::string_view>> headers = {};
    std::int64_t put_ms = 0;                         ///< Wall clock.
    std::optional<std::uint32_t> max_attempts = {};  ///< Of the queue.
    std::optional<std::int64_t> deadline_ms = {};    ///< Wall clock: when it is killed.
    std::string_view worker = {};
};

/// NAME=VALUE for all of it: this process's own without what is Telpher's, then `added`, then the message's.
std::vector<std::string> environment_of(const CommandInput& input, const std::vector<std::string>& added);
/// The same for a command that gets many messages: what is of one message is left out.
std::vector<std::string> environment_of_stream(const CommandInput& input, const std::vector<std::string>& added);

/// "TELPHER_HEADER_CONTENT_TYPE" of "content-type".
std::string header_variable(std::string_view name);

/// One JSON object in one line, with its end of line: everything but the body.
std::string metadata_line(const CommandInput& input);
/// The same with the body.
std::string request_line(const CommandInput& input);

}  // namespace telpher
