// The ZAP handler (ZeroMQ RFC 27), asked by libzmq for every connection: by its key whose it is, or, where none are
// used, who is on the other end of the ipc socket. With a handler in place libzmq also refuses ZMTP 1 and 2 peers and
// drops properties that a peer made up, a user's name above all. One thread of its own, started before any socket binds
// and stopped after all are closed; exactly one answer per request, and no file, lock of a shard or name service on the
// way: while it thinks nobody else comes in.
#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "broker/refusals.h"
#include "broker/user_book.h"
#include "telpher/error.h"

namespace telpher::broker {

class Zap {
public:
    /// All three outlive the handler.
    Zap(void* context, const UserBook& users, Refusals& refusals)
        : context_(context), users_(users), refusals_(refusals) {}
    ~Zap() { stop(); }
    Zap(const Zap&) = delete;
    Zap& operator=(const Zap&) = delete;

    /// Returns when the handler answers.
    Result<void> start();
    void stop();

private:
    struct Answer {
        const char* status;
        std::string text;
        std::string user;
    };

    void run();
    Answer decide(const std::vector<std::string>& request);

    void* context_;
    const UserBook& users_;
    Refusals& refusals_;
    void* socket_ = nullptr;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace telpher::broker
