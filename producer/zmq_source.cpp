#include "producer/zmq_source.h"

#include <algorithm>
#include <array>
#include <utility>
#include <zmq.hpp>

#include "proto/limits.h"

namespace telpher {

struct ZmqSource::Socket {
    explicit Socket(Kind kind) : socket(context, kind == Kind::kPull ? zmq::socket_type::pull : zmq::socket_type::sub) {
        socket.set(zmq::sockopt::linger, 0);
        socket.set(zmq::sockopt::rcvhwm, static_cast<int>(kWindow));
        socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(limits::kMessageBytesMax));
        socket.set(zmq::sockopt::ipv6, true);
    }
    zmq::context_t context;
    zmq::socket_t socket;
};

ZmqSource::ZmqSource(Note note) : note_(std::move(note)) {}
ZmqSource::~ZmqSource() = default;

Result<std::unique_ptr<ZmqSource>> ZmqSource::open(Kind kind, std::string endpoint, const std::string& topic,
                                                   Note note) {
    bool binds = kind == Kind::kPull;
    if (endpoint.starts_with('@') || endpoint.starts_with('>')) {
        binds = endpoint.front() == '@';
        endpoint.erase(0, 1);
    }
    std::unique_ptr<ZmqSource> source(new ZmqSource(std::move(note)));
    try {
        source->socket_ = std::make_unique<Socket>(kind);
        auto& socket = source->socket_->socket;
        if (kind == Kind::kSub) socket.set(zmq::sockopt::subscribe, topic);
        binds ? socket.bind(endpoint) : socket.connect(endpoint);
    } catch (const zmq::error_t& error) {
        // What another program may give up again is no mistake of the command line.
        const bool passes = error.num() == EADDRINUSE || error.num() == EADDRNOTAVAIL;
        return fail(passes ? Code::kAddressInUse : Code::kUsage, endpoint + ": " + error.what());
    }
    return source;
}

Result<void> ZmqSource::seek(std::uint64_t number) {
    if (kept_.empty() || number > first_ + kept_.size()) {
        kept_.clear();
        first_ = number;
    }
    if (number < first_) {
        note_("records " + std::to_string(number) + " to " + std::to_string(first_ - 1) +
              " were stored, and are not any more: the broker has lost them");
        first_ = number;
    }
    number_ = number;
    return {};
}

Result<std::string_view> ZmqSource::next(PutOptions& put) {
    if (number_ == first_ + kept_.size()) {
        Received message;
        if (!receive(message)) return fail(Code::kEmpty);
        kept_.push_back(std::move(message));
    }
    const Received& message = kept_[number_++ - first_];
    if (message.has_topic) put.headers.emplace_back("topic", message.topic);
    return std::string_view(message.body);
}

/// One whole message that is there now; false: none is.
bool ZmqSource::receive(Received& message) {
    for (;;) {
        std::vector<std::string> parts;
        bool more = true;
        std::size_t count = 0;
        while (more) {
            zmq::message_t part;
            if (!socket_->socket.recv(part, zmq::recv_flags::dontwait)) return false;
            more = part.more();
            if (++count <= 2) parts.push_back(part.to_string());
        }
        if (count > 2) {
            note_("a message of " + std::to_string(count) + " parts is left out, the " + std::to_string(++left_out_) +
                  ". so far");
            continue;
        }
        message.has_topic = count == 2;
        if (message.has_topic) message.topic = std::move(parts.front());
        message.body = std::move(parts.back());
        return true;
    }
}

bool ZmqSource::leave_out(const Error& why) {
    kept_.erase(kept_.begin() + static_cast<std::ptrdiff_t>(--number_ - first_));
    note_("a message is left out, the " + std::to_string(++left_out_) + ". so far: " + why.message());
    return true;
}

Result<void> ZmqSource::stored_below(std::uint64_t number) {
    while (!kept_.empty() && first_ < std::min(number, number_)) {
        kept_.pop_front();
        ++first_;
    }
    return {};
}

void ZmqSource::wait(int stop_fd, Millis at_most) {
    std::array<zmq::pollitem_t, 2> items{zmq::pollitem_t{socket_->socket.handle(), 0, ZMQ_POLLIN, 0},
                                         zmq::pollitem_t{nullptr, stop_fd, ZMQ_POLLIN, 0}};
    try {
        zmq::poll(items, at_most);
    } catch (const zmq::error_t& error) {
        if (error.num() != EINTR) throw;
    }
}

}  // namespace telpher
