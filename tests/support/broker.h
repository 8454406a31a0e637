// A telpherd of a test's own, on a temporary folder, on tcp and ipc. Owned by the test's thread; killed with the
// object, which prints the end of the daemon's log if the test has failed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace telpher::test {

struct BrokerOptions {
    std::vector<std::string> args;  ///< Added to --data-dir and --listen.
    std::optional<ProcessOptions::Descriptors> descriptors = {};
    std::map<std::string, std::string> env = {};  ///< Added to the test's own.
    std::filesystem::path data_dir = {};          ///< Empty: in the test's own folder.
};

class Broker {
public:
    /// Starts the daemon and waits until it says that it is ready. Throws std::runtime_error, with its log, if it does
    /// not.
    explicit Broker(BrokerOptions options = {});
    Broker(const Broker&) = delete;
    Broker& operator=(const Broker&) = delete;
    ~Broker();

    [[nodiscard]] std::string tcp() const { return "tcp://127.0.0.1:" + std::to_string(port_); }
    [[nodiscard]] std::string ipc() const { return "ipc://" + (dir_.path() / "b.sock").string(); }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::filesystem::path data_dir() const {
        return options_.data_dir.empty() ? dir_.path() / "data" : options_.data_dir;
    }
    [[nodiscard]] const std::filesystem::path& dir() const { return dir_.path(); }
    /// The command line: what a second daemon on the same folder and addresses would be started with.
    [[nodiscard]] std::vector<std::string> args() const;

    [[nodiscard]] bool running() { return process_ && process_->running(); }
    [[nodiscard]] Process& process() { return *process_; }

    /// SIGKILL: nothing is flushed, nobody is told.
    void kill();
    /// Starts again on the same folder and addresses, and waits until ready.
    void start();
    /// SIGTERM; how it ended, or nothing if it did not within `limit`.
    std::optional<Ended> terminate(Duration limit = 10s);

private:
    BrokerOptions options_;
    TempDir dir_;
    std::uint16_t port_;
    std::optional<Process> process_;
};

/// A port of the loopback address that nobody listens on now, below the range that outgoing connections take theirs
/// from.
std::uint16_t free_port();

}  // namespace telpher::test
