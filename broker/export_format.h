// The lines of an export: what a data directory holds, as JSON objects, one a line (docs/reference/export.md). Pure
// codec; values, any thread. What is read may be anything: every number and text is checked against its bounds here,
// what lines mean together is checked by the importer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "broker/queue/queue.h"
#include "proto/limits.h"
#include "telpher/error.h"

namespace telpher::broker {

inline constexpr std::uint32_t kExportFormat = 1;
/// Of one line, without its end: the largest message there is, in base64, and what else a line says.
inline constexpr std::size_t kExportLineMax = 2 * limits::kMessageBytesMax;

/// Later than any time that is told: the year 2255. In nanoseconds it still fits 64 bits.
inline constexpr WallTime kExportWallMax{9'000'000'000'000};

/// The first line.
struct ExportHead {
    std::uint32_t format = kExportFormat;
    std::string version;     ///< Of the program that wrote it; for people.
    std::uint64_t boot = 0;  ///< Starts so far: producer numbers of later ones lie above all earlier ones.
    WallTime at;
    bool operator==(const ExportHead&) const = default;
};

/// A producer that has a name: everything below is stored, by it or by those that had the name before.
struct ExportedProducer {
    ProducerId id;
    std::string name;
    Sequence stored_below;
    WallTime last_put;
    std::string user;
    bool operator==(const ExportedProducer&) const = default;
};

/// A queue without its messages.
struct ExportedQueue {
    std::string name;
    queue::Options options;
    std::string owner;  ///< Empty: it has none.
    std::uint32_t generation = 1;
    bool sealed = false;
    bool paused = false;
    Offset next;  ///< The number of the message to come.
    queue::Counters counters;
    std::vector<ExportedProducer> producers;
};

/// A message that is not settled.
struct ExportedMessage {
    std::string queue;
    Offset id;
    WallTime put;
    queue::Tries tries;
    WallTime due;                            ///< Of a delayed one; 0: it is ready, or dead.
    bool dead = false;                       ///< A dead letter ...
    std::optional<queue::Death> death = {};  ///< ... and why, if that is known.
    std::optional<std::string> key;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string payload;
    std::optional<std::string> record;  ///< Instead of the three: bytes that no consumer could read, as they were put.
    bool operator==(const ExportedMessage&) const = default;
};

/// The last line: without it the file was cut.
struct ExportEnd {
    std::uint64_t queues = 0;
    std::uint64_t messages = 0;
    std::optional<std::uint64_t> checksum;  ///< XXH3-64 of all lines before, ends of line included.
    bool operator==(const ExportEnd&) const = default;
};

using ExportLine = std::variant<ExportHead, ExportedQueue, ExportedMessage, ExportEnd>;

/// As a line, without its end.
std::string format_line(const ExportLine& line);
/// What a line says. Errors: kFormat (a newer program wrote it), kCorrupt (anything else), without the line's number.
Result<ExportLine> parse_line(std::string_view text);

}  // namespace telpher::broker
