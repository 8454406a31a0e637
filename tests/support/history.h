// What the clients of a run did and saw, one JSON object a line, in the order of time; and the reading of several such
// files as one. A line is written with one write(2) before the thing it announces is done, so a kill loses none that
// matters; only the last line of a file may be torn.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "proto/base/clock.h"

namespace telpher::test {

/// One thing that happened. Which fields mean something depends on the kind.
struct Event {
    enum class Kind : std::uint8_t {
        kPut,        ///< A put begins:                producer, seq, hash
        kConfirmed,  ///< It is confirmed:             producer, seq, id
        kRefused,    ///< It is certainly not stored:  producer, seq, code
        kUnknown,    ///< It may be stored or not:     producer, seq
        kDelivered,  ///< A message came:              producer, seq, hash, id, delivery
        kAck,        ///< An ack is given:             id
        kSettled,    ///< The ack is confirmed:        id
        kLost,       ///< The ack came too late:       id
        kEnd,        ///< The consumer saw the end.
        kDrained,    ///< The queue was emptied at the end of the run.
    };
    Kind kind = Kind::kPut;
    std::int64_t time_ns = 0;  ///< CLOCK_BOOTTIME: one for all processes of the machine.
    std::string who{};         ///< The client that writes.
    std::string producer{};
    std::uint64_t seq = 0;
    std::uint64_t hash = 0;  ///< Of the payload.
    std::uint64_t id = 0;
    std::uint32_t delivery = 0;
    std::string code{};
    bool operator==(const Event&) const = default;
};

/// Writes one client's history. Thread-safe.
class HistoryWriter {
public:
    /// Throws std::runtime_error if the file cannot be made.
    HistoryWriter(const std::filesystem::path& path, std::string who);
    HistoryWriter(const HistoryWriter&) = delete;
    HistoryWriter& operator=(const HistoryWriter&) = delete;
    ~HistoryWriter();

    /// Stamps the events with the time, and with the writer's name where `who` is empty, and appends them. Throws
    /// std::runtime_error if the disk is full.
    void record(std::span<Event> events);
    void record(Event event) { record(std::span(&event, 1)); }

private:
    std::mutex mutex_;
    std::string who_;
    int fd_;
};

/// Reads one file while it may still grow: next() returns nothing at its end, or at a torn line, and may be asked
/// again.
class HistoryReader {
public:
    explicit HistoryReader(const std::filesystem::path& path);
    /// Throws std::runtime_error with file and line if a whole line makes no sense.
    std::optional<Event> next();

private:
    std::filesystem::path path_;
    std::ifstream file_;
    std::streamoff at_ = 0;
    std::size_t line_ = 0;
};

/// Several histories as one, in the order of time. Holds one event a file.
class MergedHistory {
public:
    explicit MergedHistory(const std::vector<std::filesystem::path>& paths);
    std::optional<Event> next();

private:
    struct Source {
        HistoryReader reader;
        std::optional<Event> head;
    };
    std::vector<Source> sources_;
};

/// A line without its end, and back. Throws std::runtime_error.
std::string to_line(const Event& event);
Event from_line(const std::string& line);

/// The message of (producer, seq): names both, and is filled up to `bytes` with what follows from them.
std::string make_payload(const std::string& producer, std::uint64_t seq, std::size_t bytes);
std::uint64_t payload_hash(std::string_view payload);
/// Producer and sequence of a payload; an empty producer if it is none of ours.
struct PayloadName {
    std::string producer{};
    std::uint64_t seq = 0;
};
PayloadName payload_name(std::string_view payload);

}  // namespace telpher::test
