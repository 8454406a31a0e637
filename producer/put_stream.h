// Many puts in a row, pipelined, with their outcomes counted and their ids printed in order. Fed by one thread;
// outcomes arrive on a thread of the library. Lives as long as one run of the put command.
#pragma once

#include <atomic>
#include <memory>
#include <stop_token>
#include <string_view>

#include "producer/progress.h"
#include "telpher/client.h"

namespace telpher {

class PutStream {
public:
    /// `print_ids`: the id of every confirmed message on stdout, a line each.
    PutStream(Queue queue, bool print_ids);

    /// Hands one message over; waits while the window is full. An error: it was not handed over.
    Result<void> put(std::string_view body, const PutOptions& options);

    /// Waits until every message handed over has its outcome. After kTimeout and kStopped those that were not admitted
    /// yet are cancelled.
    Result<void> finish(Millis timeout, const std::stop_token& stop);

    [[nodiscard]] PutCounters counters() const;
    /// Why the first message was refused; kOk if none was.
    [[nodiscard]] Code refusal() const { return outcomes_->refusal.load(); }
    /// The status to end with once stdout cannot be written; 0: it can.
    [[nodiscard]] int output_failure() const { return outcomes_->output_failure.load(); }

private:
    /// What the library's callback writes; it outlives the stream if an outcome comes late.
    struct Outcomes {
        std::atomic<std::uint64_t> confirmed{0};
        std::atomic<std::uint64_t> refused{0};
        std::atomic<Code> refusal{Code::kOk};
        std::atomic<int> output_failure{0};
        bool print_ids = false;
        void add(const Confirmed& run);
        void print(const Confirmed& run);
    };

    Queue queue_;
    std::shared_ptr<Outcomes> outcomes_;
    std::atomic<std::uint64_t> sent_{0};
};

}  // namespace telpher
