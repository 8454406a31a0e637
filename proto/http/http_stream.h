// A connection of HttpServer: a socket that waits at most until its deadline, reads a bounded request, and lets go
// at once when the server stops. Owned by the worker that serves the connection; closes the socket with it.
//
// cpp-httplib's own stream has a time limit for each read and none for the request: a client that sends a byte now and
// then would keep a worker for hours, and a stop would wait for it.
#pragma once

#include <httplib.h>

#include <array>
#include <atomic>
#include <string>

#include "proto/base/clock.h"
#include "proto/http/http_server.h"

namespace telpher::http {

class HttpStream final : public httplib::Stream {
public:
    /// `stop_fd` is readable once the server stops. `waiting` counts the connections that wait for a worker; while
    /// there are any, the request has to be there within limits.request_crowded. Both outlive the stream.
    HttpStream(int fd, int stop_fd, const HttpLimits& limits, const Clock& clock, const std::atomic<int>& waiting);
    ~HttpStream() override;
    HttpStream(const HttpStream&) = delete;
    HttpStream& operator=(const HttpStream&) = delete;

    [[nodiscard]] bool is_readable() const override;
    [[nodiscard]] bool is_writable() const override;
    ssize_t read(char* into, size_t size) override;
    ssize_t write(const char* from, size_t size) override;
    void get_remote_ip_and_port(std::string& ip, int& port) const override;
    void get_local_ip_and_port(std::string& ip, int& port) const override;
    [[nodiscard]] socket_t socket() const override { return fd_; }

private:
    enum class Waited : std::uint8_t { kReady, kTimeout, kOver };  ///< Over: the server stops, or poll fails.
    [[nodiscard]] Waited wait(short events, Instant deadline) const;
    [[nodiscard]] bool wait_for_request() const;

    const int fd_;
    const int stop_fd_;
    const HttpLimits limits_;
    const Clock& clock_;
    const std::atomic<int>& waiting_;
    const Instant began_;
    Instant write_until_ = Instant::never();  ///< Begins with the first write.
    std::size_t read_bytes_ = 0;
    std::array<char, 4096> buffer_{};  ///< cpp-httplib reads a request byte by byte.
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace telpher::http
