#include "tests/support/broker.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <utility>

#include "proto/base/random.h"

namespace telpher::test {
namespace {

// A daemon under a sanitizer on a busy machine takes its time.
constexpr Duration kReadyWithin = 30s;
constexpr std::size_t kLogTailBytes = 8 * 1024;

std::string tail(const std::string& text) {
    return text.size() <= kLogTailBytes ? text : "... " + text.substr(text.size() - kLogTailBytes);
}

bool can_bind(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const bool bound =
        ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && ::listen(fd, 1) == 0;
    ::close(fd);
    return bound;
}

}  // namespace

std::uint16_t free_port() {
    Random random(system_entropy());
    for (int i = 0; i < 1000; ++i) {
        const auto port = static_cast<std::uint16_t>(20'000 + random.below(12'000));
        if (can_bind(port)) return port;
    }
    throw std::runtime_error("no free port");
}

Broker::Broker(BrokerOptions options) : options_(std::move(options)), port_(free_port()) { start(); }

Broker::~Broker() {
    if (!process_) return;
    kill();
    if (testing::Test::HasFailure()) {
        std::cout << "--- telpherd's log ---\n" << tail(process_->errors()) << "--- end of log ---" << std::endl;
    }
}

std::vector<std::string> Broker::args() const {
    std::vector<std::string> args = {"--data-dir", data_dir(), "--listen", ipc(), "--listen", tcp()};
    const auto& more = options_.args;
    if (std::find(more.begin(), more.end(), "--http") == more.end()) args.insert(args.end(), {"--http", "none"});
    args.insert(args.end(), more.begin(), more.end());
    return args;
}

void Broker::start() {
    ProcessOptions options;
    options.descriptors = options_.descriptors;
    options.env = options_.env;
    process_.emplace(program("telpherd"), args(), options);
    if (process_->wait_for_output("ready", kReadyWithin)) return;
    const auto ended = process_->wait(1s);  // its output ends a moment before it does
    const std::string how = ended ? "ended with " + ended->text() : "is not ready in time";
    throw std::runtime_error("telpherd " + how + "; stdout:\n" + tail(process_->output()) + "\nstderr:\n" +
                             tail(process_->errors()));
}

void Broker::kill() { process_->kill(); }

std::optional<Ended> Broker::terminate(Duration limit) {
    process_->signal(SIGTERM);
    return process_->wait(limit);
}

}  // namespace telpher::test
