// A queue that the client has open: its handle on the current connection, and the parts that use it. It survives the
// connection: the core opens it again on the next one. Engine thread, except where it says otherwise; lives as long as
// the core or anybody who uses the queue holds it.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/session/channel.h"

namespace telpher::session {

class Core;

class QueueLink final : public Wire, public std::enable_shared_from_this<QueueLink> {
public:
    QueueLink(Core& core, std::string name) : core_(core), name_(std::move(name)) {}

    [[nodiscard]] const std::string& name() const { return name_; }  ///< Any thread.

    [[nodiscard]] HandleId handle() const override { return HandleId(opened_.handle()); }
    [[nodiscard]] Epoch epoch() const override;
    [[nodiscard]] const v1::Limits& limits() const override;
    void send(v1::Op op, const google::protobuf::MessageLite& header, std::span<const Slice> bodies) override;
    [[nodiscard]] bool may_put() const override;
    void bind(std::uint32_t sub, Part& part) override;
    void unbind(std::uint32_t sub) override;

private:
    friend class Core;
    enum class State { kClosed, kOpening, kOpen, kFailed };

    std::uint64_t expect(v1::Op op, Answer answer) override;
    [[nodiscard]] bool open() const { return state_ == State::kOpen; }

    Core& core_;
    const std::string name_;
    State state_ = State::kClosed;
    v1::Opened opened_;                  // on the current connection
    std::optional<std::uint64_t> boot_;  // of the broker it was last open at
    Instant retry_at_;                   // kClosed: not before
    bool released_ = false;              // nobody holds the queue: close it when its parts are idle
    std::optional<Error> failure_;       // kFailed
    std::vector<std::shared_ptr<Part>> parts_;
};

}  // namespace telpher::session
