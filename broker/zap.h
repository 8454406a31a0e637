// The ZAP handler (ZeroMQ RFC 27): with one in place libzmq refuses ZMTP 1 and 2 peers and drops properties that a peer
// made up. Until keys exist it lets everybody in who speaks NULL; who may connect at all is decided by the listen
// addresses. One thread of its own, started before any socket binds and stopped after all are closed; exactly one
// answer per request.
#pragma once

#include <atomic>
#include <thread>

#include "telpher/error.h"

namespace telpher::broker {

class Zap {
public:
    explicit Zap(void* context) : context_(context) {}
    ~Zap() { stop(); }
    Zap(const Zap&) = delete;
    Zap& operator=(const Zap&) = delete;

    /// Returns when the handler answers.
    Result<void> start();
    void stop();

private:
    void run();

    void* context_;
    void* socket_ = nullptr;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace telpher::broker
