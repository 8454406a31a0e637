// A line of a daemon's log: what happened (event), in words (text), and the values in it (fields). It goes through
// spdlog as one string, which the formats here take apart again. Any thread.
#pragma once

#include <spdlog/common.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace telpher::service {

/// Lower case with '_': "queue".
using Field = std::pair<std::string_view, std::string_view>;

/// Logs a line. `event` is stable and for machines ("queue.full"); `text` says it all to people. Never a message's
/// body.
void log_line(spdlog::level::level_enum level, std::string_view event, std::string_view text,
              std::initializer_list<Field> fields = {});

/// A line taken apart; views into it.
struct LogLine {
    std::string_view text;
    std::vector<Field> fields;  ///< With "event" first, if it has one.
};
LogLine split_line(std::string_view payload);

}  // namespace telpher::service
