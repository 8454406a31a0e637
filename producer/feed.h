// A producer with a name at work: everything of a RecordSource into a queue, each record once and in order, whatever
// dies meanwhile. When the broker goes it waits for it; when a put is refused for a while it opens the queue again and
// goes on at the first record that is not stored. One per process; runs on the thread of the command.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "producer/open_queue.h"
#include "producer/progress.h"
#include "producer/record_source.h"
#include "proto/command/signals.h"
#include "telpher/client.h"

namespace telpher {

class Feed {
public:
    struct Setup {
        std::string queue;
        OpenFlags open;     ///< options.producer_name is the name.
        PutOptions put;     ///< Of every record.
        bool json = false;  ///< A record is a message as JSON.
        /// How long a stop waits for the outcome of what was read.
        Millis drain{10'000};
    };
    Feed(Setup setup, const command::Globals& globals, const command::StopSignals& signals, RecordSource& source)
        : setup_(std::move(setup)), globals_(globals), signals_(signals), source_(source) {}

    /// Until the source ends, a stop, or an error that is for good. A stop is no error.
    Result<void> run();

    /// Any thread.
    [[nodiscard]] PutCounters counters() const;

private:
    /// What the library's callback knows of one opening; it outlives it if an outcome comes late.
    struct Outcomes {
        std::atomic<std::uint64_t> stored_below{0};
        std::atomic<Code> refusal{Code::kOk};
    };

    Result<void> run_once(Client& client);
    [[nodiscard]] Result<Queue> open(Client& client) const;
    Result<void> pump(Queue& queue, const Outcomes& outcomes);
    Result<std::string_view> body_of(std::string_view record);
    Result<void> put(Queue& queue, std::string_view record);
    Result<void> stored(const Outcomes& outcomes);
    Result<void> finish(Queue& queue, const Outcomes& outcomes);
    [[nodiscard]] Result<std::uint64_t> first_record(Queue& queue) const;
    [[nodiscard]] bool stopped() const { return signals_.token().stop_requested(); }
    void pause() const;
    Result<void> leave();

    Setup setup_;
    const command::Globals& globals_;
    const command::StopSignals& signals_;
    RecordSource& source_;
    PutOptions from_source_;  // what the source says of its last record
    PutOptions options_;      // of the record that is put
    std::string body_;        // of a JSON record
    std::uint64_t next_ = 0;  // record to be put next
    std::atomic<std::uint64_t> sent_{0};
    std::atomic<std::uint64_t> confirmed_{0};
};

}  // namespace telpher
