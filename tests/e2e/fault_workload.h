// The same few hundred operations in every trial of the fault tests: puts of one and of many, gets with every verdict,
// queues made and removed, so much that the log begins a second segment and a clean stop writes a checkpoint. What was
// done and seen is kept for the checker. The broker may end and come back under it. One thread.
#pragma once

#include <telpher/client.h>

#include <map>
#include <string>
#include <vector>

#include "proto/base/random.h"
#include "tests/support/history.h"

namespace telpher::test {

class FaultWorkload {
public:
    explicit FaultWorkload(std::string server) : server_(std::move(server)) {}

    /// `operations` of them, fewer once `stopped`; each waits for its outcome.
    void run(std::uint64_t operations, const std::function<bool()>& stopped);
    /// Empties the queue up to its end, and looks which queues there are.
    void drain();

    [[nodiscard]] const std::vector<Event>& history() const { return history_; }
    /// Errors that callers were told.
    [[nodiscard]] const std::vector<std::string>& told() const { return told_; }
    /// What is not as it was confirmed to be, beside the queue's messages.
    [[nodiscard]] const std::vector<std::string>& wrong() const { return wrong_; }

private:
    enum class There { kYes, kNo, kMaybe };

    void one_operation(Client& client, Queue& queue);
    void put(Queue& queue, std::size_t bytes);
    void put_many(Queue& queue);
    void get(Queue& queue);
    void settle(Queue& queue, Message& message);
    void make_or_remove(Client& client);
    std::string announce(std::uint64_t seq, std::size_t bytes);
    void outcome(std::uint64_t seq, Code code, std::uint64_t id);
    void record(Event event);
    bool told(const char* operation, const Error& error);

    std::string server_;
    Random random_{42};
    std::uint64_t next_ = 0;
    std::uint64_t side_ = 0;
    std::map<std::string, There> sides_;
    std::vector<Event> history_;
    std::vector<std::string> told_, wrong_;
};

}  // namespace telpher::test
