// The broker's end of the connections a client makes, in memory: a test takes what the client sent and says what comes
// back. Works for a core that the test drives itself and for an engine with its own thread. Lives longer than the
// client.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/frame.h"
#include "proto/session/transport.h"

namespace telpher::session {

/// One message on its way.
struct Wired {
    std::string header;
    std::vector<Slice> bodies;

    [[nodiscard]] v1::Op op() const { return frame::op_of(as_bytes(header)); }
    template <class M>
    [[nodiscard]] M as() const {
        M message;
        if (!frame::parse(as_bytes(header), message)) throw std::runtime_error("not the message of this op");
        return message;
    }
};

class FakeNetwork {
public:
    FakeNetwork() : link_(std::make_shared<Link>()) {}

    [[nodiscard]] std::unique_ptr<TransportFactory> factory() { return std::make_unique<Factory>(link_); }

    /// How many connections were begun so far.
    [[nodiscard]] int connections() const {
        const std::lock_guard lock(link_->mutex);
        return link_->connections;
    }
    /// Waits until the client has begun its `count`th connection.
    bool wait_connections(int count) {
        std::unique_lock lock(link_->mutex);
        return link_->changed.wait_for(lock, kPatience, [&] { return link_->connections >= count; });
    }

    void up() { tell({.up = true}); }
    void down(std::string reason) { tell({.reason = std::move(reason)}); }
    void refuse(TransportNews news) { tell(std::move(news)); }
    void send(v1::Op op, const google::protobuf::MessageLite& message, std::vector<Slice> bodies = {}) {
        send_raw(frame::encode(op, message), std::move(bodies));
    }
    void send_raw(std::string header, std::vector<Slice> bodies = {}) {
        const std::lock_guard lock(link_->mutex);
        link_->to_client.push_back({std::move(header), std::move(bodies)});
        link_->message_bell.ring();
    }

    /// The next thing the client sent; nullopt: nothing is there.
    std::optional<Wired> take() {
        const std::lock_guard lock(link_->mutex);
        return link_->pop();
    }
    /// The same, waiting for it.
    std::optional<Wired> wait() {
        std::unique_lock lock(link_->mutex);
        link_->changed.wait_for(lock, kPatience, [&] { return !link_->to_broker.empty(); });
        return link_->pop();
    }
    /// Waits for a message of `op` and drops what comes before it.
    template <class M>
    std::optional<M> wait_for(v1::Op op, std::vector<Slice>* bodies = nullptr) {
        while (auto wired = wait()) {
            if (wired->op() != op) continue;
            if (bodies != nullptr) *bodies = wired->bodies;
            return wired->as<M>();
        }
        return std::nullopt;
    }

private:
    static constexpr std::chrono::seconds kPatience{10};

    /// A descriptor that is readable while there is something to take.
    struct Bell {
        Bell() : fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
        ~Bell() { close(fd); }
        void ring() const {
            const std::uint64_t one = 1;
            if (write(fd, &one, sizeof one) < 0) throw std::runtime_error("eventfd");
        }
        void silence() const {
            std::uint64_t count = 0;
            [[maybe_unused]] const auto taken = read(fd, &count, sizeof count);
        }
        int fd;
    };

    struct Link {
        std::optional<Wired> pop() {
            if (to_broker.empty()) return std::nullopt;
            auto first = std::move(to_broker.front());
            to_broker.pop_front();
            return first;
        }
        std::mutex mutex;
        std::condition_variable changed;
        std::deque<Wired> to_client;
        std::deque<Wired> to_broker;
        std::deque<TransportNews> news;
        int connections = 0;
        Bell message_bell;
        Bell news_bell;
    };

    class Fake final : public Transport {
    public:
        explicit Fake(std::shared_ptr<Link> link) : link_(std::move(link)) {}
        bool send(std::string_view header, std::span<const Slice> bodies) override {
            const std::lock_guard lock(link_->mutex);
            link_->to_broker.push_back({std::string(header), {bodies.begin(), bodies.end()}});
            link_->changed.notify_all();
            return true;
        }
        Result<bool> receive(Received& received) override {
            const std::lock_guard lock(link_->mutex);
            if (link_->to_client.empty()) {
                link_->message_bell.silence();
                return false;
            }
            auto wired = std::move(link_->to_client.front());
            link_->to_client.pop_front();
            received.header = wired.header;
            received.body_count = wired.bodies.size();
            std::move(wired.bodies.begin(), wired.bodies.end(), received.bodies.begin());
            return true;
        }
        std::optional<TransportNews> news() override {
            const std::lock_guard lock(link_->mutex);
            if (link_->news.empty()) {
                link_->news_bell.silence();
                return std::nullopt;
            }
            auto news = std::move(link_->news.front());
            link_->news.pop_front();
            return news;
        }
        [[nodiscard]] int message_fd() const override { return link_->message_bell.fd; }
        [[nodiscard]] int news_fd() const override { return link_->news_bell.fd; }
        [[nodiscard]] bool readable() override {
            const std::lock_guard lock(link_->mutex);
            return !link_->to_client.empty();
        }

    private:
        std::shared_ptr<Link> link_;
    };

    class Factory final : public TransportFactory {
    public:
        explicit Factory(std::shared_ptr<Link> link) : link_(std::move(link)) {}
        Result<std::unique_ptr<Transport>> connect(const std::string& /*endpoint*/) override {
            const std::lock_guard lock(link_->mutex);
            ++link_->connections;
            link_->to_client.clear();
            link_->news.clear();
            link_->changed.notify_all();
            return std::make_unique<Fake>(link_);
        }

    private:
        std::shared_ptr<Link> link_;
    };

    void tell(TransportNews news) {
        const std::lock_guard lock(link_->mutex);
        link_->news.push_back(std::move(news));
        link_->news_bell.ring();
    }

    std::shared_ptr<Link> link_;
};

/// What a broker says to a HELLO: session 7 with limits that hold a few small batches.
inline v1::HelloOk hello_ok(std::uint32_t epoch = 1, bool resumed = false, std::uint64_t boot = 100) {
    v1::HelloOk hello;
    hello.set_proto(1);
    hello.set_boot_id(boot);
    hello.set_session(7);
    hello.set_token("0123456789abcdef");
    hello.set_epoch(epoch);
    hello.set_resumed(resumed);
    hello.set_lease_ms(30'000);
    hello.set_heartbeat_ms(5'000);
    hello.mutable_limits()->set_message_bytes(1'000'000);
    hello.mutable_limits()->set_session_put_bytes(16'000'000);
    hello.mutable_limits()->set_puts_in_flight(256);
    return hello;
}

}  // namespace telpher::session
