#include "tests/support/wire_peer.h"

#include <stdexcept>

#include "proto/batch.h"

namespace telpher::test {

WirePeer::WirePeer(const std::string& endpoint, const ZmtpPeer::Properties& properties) : zmtp_(endpoint) {
    if (!zmtp_.handshake(properties)) throw std::runtime_error("no ZMTP handshake with " + endpoint);
}

void WirePeer::Message::parse(google::protobuf::MessageLite& header) const {
    const auto parsed = telpher::frame::parse(as_bytes(frames.at(0)), header);
    if (!parsed) throw std::runtime_error("a malformed header: " + parsed.error().message());
}

bool WirePeer::send(v1::Op op, const google::protobuf::MessageLite& header, std::string_view body) {
    const std::string first = telpher::frame::encode(op, header);
    return body.empty() ? zmtp_.send({first}) : zmtp_.send({first, body});
}

std::optional<WirePeer::Message> WirePeer::receive(Duration limit) {
    auto frames = zmtp_.receive(limit);
    if (!frames) return std::nullopt;
    Message message;
    message.op = telpher::frame::op_of(as_bytes(frames->at(0)));
    message.frames = std::move(*frames);
    return message;
}

WirePeer::Message WirePeer::await(v1::Op op, Duration limit) {
    const Deadline deadline(limit);
    while (auto message = receive(deadline.left())) {
        if (message->op == op) return std::move(*message);
        if (message->op != v1::OP_ERROR) continue;
        const auto error = message->as<v1::Error>();
        throw std::runtime_error("refused: " + std::string(info(static_cast<Code>(error.code())).name) + " " +
                                 error.detail());
    }
    throw std::runtime_error("no answer, op " + std::to_string(op));
}

v1::HelloOk WirePeer::hello() { return resume({}); }

v1::HelloOk WirePeer::resume(const v1::HelloOk& session) {
    v1::Hello hello;
    hello.set_proto_min(1);
    hello.set_proto_max(1);
    hello.set_client_name("wire peer");
    hello.set_resume_session(session.session());
    hello.set_resume_token(session.token());
    send(v1::OP_HELLO, hello);
    auto answer = await<v1::HelloOk>(v1::OP_HELLO_OK);
    epoch_ = answer.epoch();
    return answer;
}

std::uint32_t WirePeer::open(std::string_view queue, const v1::QueueOptions& options) {
    v1::Open open;
    open.set_epoch(epoch_);
    open.set_req(++requests_);
    open.set_name(std::string(queue));
    open.set_create(true);
    *open.mutable_options() = options;
    send(v1::OP_OPEN, open);
    return await<v1::Opened>(v1::OP_OPENED).handle();
}

std::uint64_t WirePeer::open_producer(std::uint32_t handle) {
    v1::OpenProducer open;
    open.set_epoch(epoch_);
    open.set_req(++requests_);
    open.set_handle(handle);
    send(v1::OP_OPEN_PRODUCER, open);
    return await<v1::ProducerOpened>(v1::OP_PRODUCER_OPENED).producer();
}

bool WirePeer::put(std::uint32_t handle, std::uint64_t producer, std::uint64_t first, std::uint32_t count,
                   std::size_t bytes) {
    v1::Put put;
    put.set_epoch(epoch_);
    put.set_handle(handle);
    return send(v1::OP_PUT, put, batch(producer, first, count, bytes));
}

std::string WirePeer::batch(std::uint64_t producer, std::uint64_t first, std::uint32_t count, std::size_t bytes) {
    telpher::batch::Builder builder;
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::string payload(bytes, static_cast<char>('a' + (first + i) % 26));
        builder.append({.payload = as_bytes(payload), .key = std::nullopt, .headers = nullptr}, SIZE_MAX);
    }
    const Slice sealed = builder.seal(ProducerId(producer), Sequence(first), system_clock().wall());
    return std::string(as_text(sealed.bytes()));
}

}  // namespace telpher::test
