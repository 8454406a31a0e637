// Passes bytes on between clients and a broker, over tcp or ipc, and cuts connections: all of them now, or each after a
// random number of bytes, wherever in a frame that is; half of the cuts as a reset, where there is such a thing.
// Works on a thread of its own; every member may be called from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <string>
#include <thread>

#include "proto/base/random.h"

namespace telpher::test {

class Relay {
public:
    /// Listens on `endpoint` and connects each peer to `target`. Throws std::runtime_error if it cannot listen.
    Relay(std::string endpoint, std::string target, std::uint64_t seed);
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;
    ~Relay();

    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

    /// From now on each new connection is cut after 1 to `bytes` bytes, of both directions together. 0: none is.
    void cut_within(std::uint64_t bytes) { cut_within_ = bytes; }
    /// Cuts every connection there is.
    void cut_all();

    [[nodiscard]] std::uint64_t connections() const { return connections_; }  ///< Ever made.
    [[nodiscard]] std::uint64_t cuts() const { return cuts_; }

private:
    struct Side;
    struct Link;

    void run();
    void accept_one();
    bool pass(Side& from, Side& to, Link& link);
    void cut(Link& link);

    const std::string endpoint_, target_;
    int listener_ = -1;
    int wake_ = -1;
    std::atomic<bool> stop_{false}, cut_all_{false};
    std::atomic<std::uint64_t> cut_within_{0}, connections_{0}, cuts_{0};
    Random random_;  // the thread's, as the links
    std::list<Link> links_;
    std::thread thread_;
};

}  // namespace telpher::test
