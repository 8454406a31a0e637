// Producers and consumers in processes of their own (telpher-load) on one queue of a broker, and the judgement of what
// they wrote down. Owned by the test's thread; kills what still runs.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "tests/support/broker.h"
#include "tests/support/checker.h"
#include "tests/support/process.h"

namespace telpher::test {

class Load {
public:
    Load(std::string server, std::string queue, std::uint64_t seed)
        : server_(std::move(server)), queue_(std::move(queue)), seed_(seed) {}
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;
    ~Load();  ///< Prints what the clients said if the test has failed.

    /// A running client. References stay valid as long as the Load.
    struct Client {
        std::string name;
        Process process;
        HistoryReader reader;
        std::uint64_t confirmed = 0, delivered = 0, disk_full = 0;  ///< As counted by progress().
    };
    /// `args` are added to the program's own (--rate, --count, --hold-ms, ...).
    Client& start_producer(std::vector<std::string> args = {});
    Client& start_consumer(std::vector<std::string> args = {});

    /// Confirmed puts, deliveries, and puts refused for want of room on the disk, of all clients since the start.
    struct Progress {
        std::uint64_t confirmed = 0, delivered = 0, disk_full = 0;
    };
    Progress progress();
    /// True once `puts` more puts were confirmed and `gets` more messages delivered.
    bool goes_on(std::uint64_t puts, std::uint64_t gets, Duration limit);

    /// Where a client of the test's own writes its history, to be judged with the others.
    [[nodiscard]] std::filesystem::path history_of(const std::string& name) const { return dir_.path() / name; }

    /// SIGTERM to the producers that live, waits for their outcomes, seals the queue, waits until the consumers that
    /// live saw the end, drains what is left, and judges. Every client must end well within `limit`. Adds gtest
    /// failures.
    Verdict finish(Duration limit);

private:
    Client& start(const std::string& kind, std::vector<std::string> args);
    void drain(Duration limit);
    static void expect_ends(Client& client, Duration limit);

    std::string server_, queue_;
    std::uint64_t seed_;
    TempDir dir_;
    std::deque<Client> producers_, consumers_;
};

}  // namespace telpher::test
