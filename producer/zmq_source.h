// Messages of a ZeroMQ PULL or SUB socket as records. ZeroMQ has no acknowledgement: what was received and is not
// stored yet is kept here, at most window() of it, and is lost if the process is killed; what the socket's own queue
// holds (as much again) too. As long as the process lives nothing is: a record is kept until it is stored, and given
// out again after a seek(). A full window stops the reading, so that PUSH peers wait (and PUB peers drop).
// One per endpoint; owned and used by one thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "producer/record_source.h"

namespace telpher {

class ZmqSource final : public RecordSource {
public:
    enum class Kind : std::uint8_t { kPull, kSub };
    using Note = std::function<void(const std::string&)>;

    /// `endpoint`: of ZeroMQ; "@" before it binds, ">" connects; without, PULL binds and SUB connects. `topic`: what
    /// SUB subscribes to. kUsage: the endpoint makes no sense or cannot be had.
    static Result<std::unique_ptr<ZmqSource>> open(Kind kind, std::string endpoint, const std::string& topic,
                                                   Note note);
    ~ZmqSource() override;

    Result<void> seek(std::uint64_t number) override;
    /// A message of one part is the record. Of two parts the second is, and the first its header "topic". One of more
    /// parts is left out, and a note says so.
    Result<std::string_view> next(PutOptions& put) override;
    /// Always: a peer that sends what no queue takes ends nothing. A note says so.
    bool leave_out(const Error& why) override;
    Result<void> stored_below(std::uint64_t number) override;
    [[nodiscard]] std::uint64_t at_risk() const override { return kept_.size(); }
    void wait(int stop_fd, Millis at_most) override;
    [[nodiscard]] std::uint64_t window() const override { return kWindow; }

    static constexpr std::uint64_t kWindow = 1'000;

private:
    struct Socket;
    struct Received {
        std::string body;
        std::string topic;
        bool has_topic = false;
    };
    explicit ZmqSource(Note note);
    bool receive(Received& message);

    const Note note_;
    std::unique_ptr<Socket> socket_;
    std::deque<Received> kept_;  // not known to be stored
    std::uint64_t first_ = 0;    // number of the first of them
    std::uint64_t number_ = 0;   // of the next record
    std::uint64_t left_out_ = 0;
};

}  // namespace telpher
