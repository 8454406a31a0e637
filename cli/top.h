// What `telpher top` shows: queues with the rates between two looks, sorted. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/command/message_json.h"
#include "telpher/client.h"

namespace telpher::cli {

/// What the rows are sorted by; the letter is its key.
enum class TopKey : char {
    kName = 'n',
    kReady = 'r',
    kLeased = 'l',
    kIn = 'i',
    kOut = 'o',
    kBlocked = 'b',
    kConsumers = 'c',
    kDead = 'd',
};

/// "ready", or its letter. kUsage.
Result<TopKey> parse_top_key(std::string_view text);
/// The key of that letter, if it has one.
std::optional<TopKey> top_key(char letter);

struct TopRow {
    QueueStats queue;
    double in = 0;   ///< Messages put a second.
    double out = 0;  ///< Messages acked a second.
};

/// Rates over `seconds` (> 0); a queue that was not there before, or was made anew, has none yet. The highest first,
/// names rising.
std::vector<TopRow> top_rows(const std::vector<QueueStats>& before, const std::vector<QueueStats>& now, double seconds,
                             TopKey key);

/// A line about the broker and the table, cut to `lines` if that is not 0.
std::string top_table(const BrokerStats& broker, const std::vector<TopRow>& rows, TopKey key, bool color,
                      std::size_t lines);

/// One object: broker and queues, each with `in` and `out`.
command::Json top_json(const BrokerStats& broker, const std::vector<TopRow>& rows);

}  // namespace telpher::cli
