#include "proto/http/http_server.h"

#include <httplib.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "proto/base/check.h"
#include "proto/http/http_stream.h"

namespace telpher::http {
namespace {

constexpr std::size_t kWorkers = 4;
/// Connections that wait for a worker; more are told to come back.
constexpr std::size_t kWaitingMax = 252;
constexpr int kBacklog = 64;
constexpr std::size_t kPayloadMax = 64 * 1024;

/// How long the kernel keeps a connection to itself that has sent nothing, so that it takes no place; unless there are
/// too many of them.
constexpr int kDeferSeconds = 5;

/// What a connection gets that finds no place: an answer to a request that nobody read.
std::string overloaded() {
    const Answer answer = error_answer(503, telpher::Error(Code::kBusy, "too many connections wait"));
    return "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Type: " + answer.type +
           "\r\nContent-Length: " + std::to_string(answer.body.size()) + "\r\n\r\n" + answer.body;
}

/// A fixed number of threads before a bounded queue. What finds no place in it is run by the caller, the thread that
/// accepts, where Server only refuses it.
class BoundedPool final : public httplib::TaskQueue {
public:
    /// `waiting`, how many tasks wait for a thread, and `trouble` outlive the pool.
    BoundedPool(std::atomic<int>& waiting, const HttpServer::Trouble& trouble) : waiting_(waiting), trouble_(trouble) {
        for (std::size_t i = 0; i < kWorkers; ++i) threads_.emplace_back([this] { work(); });
    }

    void enqueue(std::function<void()> task) override {
        {
            const std::lock_guard lock(mutex_);
            if (tasks_.size() < kWaitingMax) {
                tasks_.push_back(std::move(task));
                ++waiting_;
                arrived_.notify_one();
                return;
            }
        }
        task();
    }

    void shutdown() override {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        arrived_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }

private:
    void work() {
        for (;;) {
            std::unique_lock lock(mutex_);
            arrived_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
            if (tasks_.empty()) return;
            const std::function<void()> task = std::move(tasks_.front());
            tasks_.pop_front();
            --waiting_;
            lock.unlock();
            try {
                task();
            } catch (const std::exception& error) {
                trouble_(error.what());
            }
        }
    }

    std::atomic<int>& waiting_;
    const HttpServer::Trouble& trouble_;
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<std::function<void()>> tasks_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

/// A second daemon on the same port must fail: cpp-httplib's own options would let both have it.
void set_reuse_address(socket_t fd) {
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
}

}  // namespace

bool wants_http(const std::string& text) { return !text.empty() && text != "none"; }

Result<HttpAddress> check_http_address(const std::string& text, bool insecure) {
    const auto split = split_host_port(text, text, "ADDRESS:PORT");
    if (!split) return fail(split.error());
    std::string host = split->host;
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    if (!is_loopback(host) && !insecure) {
        return fail(Code::kConfig, text +
                                       " can be reached from other hosts and anybody there could read names and "
                                       "figures: use 127.0.0.1, or --insecure if the network is yours alone");
    }
    return HttpAddress{host == "localhost" || host == "lo" ? "127.0.0.1" : host, split->port};
}

class HttpServer::Server final : public httplib::Server {
public:
    Server(Pages pages, Trouble trouble, const Clock& clock, const HttpLimits& limits)
        : pages_(std::move(pages)),
          trouble_(std::move(trouble)),
          clock_(clock),
          limits_(limits),
          stop_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        TELPHER_CHECK(stop_fd_ >= 0);
        new_task_queue = [this] { return new BoundedPool(waiting_, trouble_); };
        set_socket_options(set_reuse_address);
        set_payload_max_length(kPayloadMax);
        set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
            answer(request, response);
            return HandlerResponse::Handled;
        });
        set_error_handler([](const httplib::Request&, httplib::Response& response) {
            if (response.body.empty())
                fill(response, error_answer(response.status, telpher::Error(Code::kProtocol, "HTTP")));
        });
        set_exception_handler([](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) {
            fill(response, error_answer(500, telpher::Error(Code::kInternal)));
        });
    }
    ~Server() override { ::close(stop_fd_); }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    Result<int> bind(const HttpAddress& address) {
        const int port = address.port == 0                          ? bind_to_any_port(address.host)
                         : bind_to_port(address.host, address.port) ? address.port
                                                                    : -1;
        ::setsockopt(svr_sock_, IPPROTO_TCP, TCP_DEFER_ACCEPT, &kDeferSeconds, sizeof kDeferSeconds);
        if (port > 0 && ::listen(svr_sock_, kBacklog) == 0) return port;  // the library has it at 5
        return fail(Code::kAddressInUse, "HTTP address " + address.host + ":" + std::to_string(address.port) +
                                             ": another process has it, or it is no address of this host");
    }
    void run() {
        thread_ = std::thread([this] {
            listener_ = std::this_thread::get_id();
            if (!listen_after_bind()) trouble_("it answers no more");
            ended_ = true;
        });
    }
    void end() {
        if (!thread_.joinable()) return;
        const std::uint64_t one = 1;
        static_cast<void>(!::write(stop_fd_, &one, sizeof one));
        while (!is_running() && !ended_) std::this_thread::yield();  // else stop() comes too early and does nothing
        stop();
        thread_.join();
    }

private:
    static void fill(httplib::Response& response, Answer answer) {
        response.status = answer.status;
        response.headers.clear();
        response.set_header("Content-Type", answer.type);
        response.set_header("Cache-Control", "no-store");
        response.set_header("X-Content-Type-Options", "nosniff");
        response.body = std::move(answer.body);
    }

    void answer(const httplib::Request& request, httplib::Response& response) const {
        if (request.method != "GET" && request.method != "HEAD") {
            fill(response, error_answer(405, telpher::Error(Code::kUnsupported, "GET only")));
            response.set_header("Allow", "GET, HEAD");
            return;
        }
        const Parameters parameters{request.get_param_value("queue"), request.get_param_value("family"),
                                    request.has_param("verbose")};
        fill(response, pages_(request.path, parameters));
    }

    /// One request a connection: no idle one keeps a worker.
    bool process_and_close_socket(socket_t fd) override {
        HttpStream stream(fd, stop_fd_, limits_, clock_, waiting_);
        if (std::this_thread::get_id() == listener_) {
            static_cast<void>(::send(fd, overloaded_.data(), overloaded_.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
            return false;
        }
        bool closed = false;
        return process_request(stream, true, closed, [](httplib::Request& request) {
            request.headers.erase("Accept-Encoding");  // packing takes longer than loopback
            request.ranges.clear();
        });
    }

    const Pages pages_;
    const Trouble trouble_;
    const Clock& clock_;
    const HttpLimits limits_;
    const std::string overloaded_ = overloaded();
    const int stop_fd_;
    std::atomic<int> waiting_{0};  ///< Connections that wait for a worker.
    std::thread thread_;
    std::thread::id listener_;  ///< Of thread_, set there before it accepts.
    std::atomic<bool> ended_{false};
};

HttpServer::HttpServer(Pages pages, Trouble trouble, const Clock& clock, const HttpLimits& limits)
    : server_(std::make_unique<Server>(std::move(pages), std::move(trouble), clock, limits)) {}

HttpServer::~HttpServer() { stop(); }

Result<void> HttpServer::start(const HttpAddress& address) {
    const auto port = server_->bind(address);
    if (!port) return fail(port.error());
    const bool v6 = address.host.find(':') != std::string::npos;
    endpoint_ = (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(*port);
    server_->run();
    return {};
}

void HttpServer::stop() { server_->end(); }

}  // namespace telpher::http
