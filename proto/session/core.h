// The engine without its thread: connection, queues, parts and requests as one agent that is driven by do_work(now).
// Pure but for the transport, which is a seam; tests drive it with a scripted one and their own time. One owner thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "proto/session/connection.h"
#include "proto/session/decoder.h"
#include "proto/session/queue_link.h"
#include "proto/session/requests.h"
#include "proto/session/transport.h"

namespace telpher::session {

class Core {
public:
    struct Config {
        std::string endpoint;
        std::string client_name;
        std::function<void(const std::string&)> log;  ///< One line per event; may be empty.
        std::function<void(bool)> on_connection{};    ///< As ClientOptions; may be empty.
        std::uint64_t seed = 0;                       ///< Of the back-off's jitter.
    };

    Core(Config config, std::unique_ptr<TransportFactory> transports);
    Core(const Core&) = delete;
    Core& operator=(const Core&) = delete;

    // --- the cycle ---

    /// What may have come in. Looking in vain costs two system calls, so it is asked for.
    struct Arrived {
        bool news = true;
        bool frames = true;
    };
    /// Takes a bounded number of news and frames, then does what time asks for. True if there was anything.
    bool do_work(Instant now, Arrived arrived = {true, true});
    /// Calls part.do_work(), unless the part was removed.
    void work(Part& part, Instant now);
    /// When do_work() has something to do by itself; a time in the past if at once.
    [[nodiscard]] Instant next_due() const;
    /// What to wait on; nullptr while there is no connection.
    [[nodiscard]] Transport* transport() { return transport_.get(); }

    // --- queues and parts ---

    /// `link`'s queue was opened for the first time, on this connection. From the answer to its OPEN.
    void opened(const std::shared_ptr<QueueLink>& link, const v1::Opened& opened);
    void add(const std::shared_ptr<QueueLink>& link, const std::shared_ptr<Part>& part);
    void remove(Part& part);
    /// Nobody holds the queue any more: CLOSE as soon as its parts are idle.
    void release(const std::shared_ptr<QueueLink>& link);
    [[nodiscard]] std::vector<std::shared_ptr<Part>> parts() const;

    // --- requests ---

    Requests::CallId request(PendingRequest request);
    /// Ends a call that is still open, with `error`.
    void give_up(Requests::CallId id, const Error& error);

    // --- the end ---

    /// Says BYE; false if there is no connection to say it on. The broker's GOODBYE, or its closing, ends the
    /// connection.
    bool say_bye();
    /// Closes the connection and fails every part and request with `error`.
    void shut(const Error& error);

    // --- for links ---

    [[nodiscard]] Epoch epoch() const { return connection_.epoch(); }
    [[nodiscard]] const v1::Limits& limits() const { return connection_.hello().limits(); }
    void send(v1::Op op, const google::protobuf::MessageLite& header, std::span<const Slice> bodies);
    [[nodiscard]] bool may_put() const { return put_bytes_ < put_limit_; }
    void bind(std::uint32_t sub, Part& part) { subs_[sub] = &part; }
    void unbind(std::uint32_t sub) { subs_.erase(sub); }
    std::uint64_t expect(v1::Op op, Answer answer) { return requests_.expect(op, std::move(answer)); }

    // --- any thread ---

    [[nodiscard]] std::size_t message_bytes_max() const { return message_bytes_max_.load(std::memory_order_relaxed); }

private:
    // core.cpp: the connection.
    void note_pause(Instant now);
    bool take_news();
    bool take_frames();
    void tick();
    void connect();
    void transmit(std::string_view header, std::span<const Slice> bodies);
    void break_off(std::string reason);
    void drop();
    void log(const std::string& line) const;

    // core_frames.cpp: what comes in.
    Result<void> dispatch(const Received& received);
    Result<void> on_session(const Frame& frame);
    Result<void> on_hello_ok(const v1::HelloOk& hello);
    void on_goodbye(const v1::Goodbye& goodbye);
    Result<void> on_answer(const Frame& frame, std::uint64_t req);
    Result<void> on_error(const v1::Error& error);
    void queue_gone(HandleId handle, const Error& error);
    Result<void> on_handle(const Frame& frame, HandleId handle);
    void raise_put_limit(std::uint64_t limit);

    // core_links.cpp: queues and requests.
    void open(const std::shared_ptr<QueueLink>& link);
    void on_reopened(const std::shared_ptr<QueueLink>& link, const Result<const Frame*>& answer);
    void connect_part(QueueLink& link, Part& part, bool restarted);
    void fail_link(const std::shared_ptr<QueueLink>& link, const Error& error);
    void close_if_idle(const std::shared_ptr<QueueLink>& link);
    void close_handle(const QueueLink& link);
    void send_calls(const QueueLink* link);
    void finish_call(Requests::CallId id, const Result<const Frame*>& answer);
    void expire_calls();
    void run_due_parts();
    [[nodiscard]] Error unreachable() const;
    [[nodiscard]] bool hopeless() const;
    void note_handshake(const TransportNews& news);

    Config config_;
    std::unique_ptr<TransportFactory> transports_;
    std::unique_ptr<Transport> transport_;
    Connection connection_;
    Decoder decoder_;
    Received received_;
    Requests requests_;
    Instant now_;  // of this cycle
    Instant calls_due_ = Instant::never();
    Instant parts_due_ = Instant::never();
    Instant links_due_ = Instant::never();
    Instant leave_by_ = Instant::never();  // the broker said GOODBYE
    bool said_bye_ = false;                // GOODBYE is the answer to it

    bool broken_ = false;  // drop() at the end of this cycle
    std::string trouble_;  // why there is no connection, for people
    Code trouble_code_ = Code::kUnreachable;
    std::optional<Error> refusal_;  // the broker does not let us in: calls fail at once, until it does
    int cut_handshakes_ = 0;        // connections closed during the handshake, with at most resets between
    Instant cut_since_;             // the first of them
    Duration retry_after_{0};       // what the broker asked for

    std::uint64_t put_bytes_ = 0;  // bodies of PUTs on this connection
    std::uint64_t put_limit_ = 0;
    std::atomic<std::size_t> message_bytes_max_;

    std::vector<std::shared_ptr<QueueLink>> links_;
    std::unordered_map<HandleId, std::shared_ptr<QueueLink>> handles_;  // of this connection
    std::unordered_map<std::uint32_t, Part*> subs_;                     // of this connection
};

}  // namespace telpher::session
