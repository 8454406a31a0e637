#include "tests/sim/sim_peer.h"

#include <algorithm>

#include "proto/batch.h"

namespace telpher::sim {

void SimPeer::read() {
    broker_.settle();
    while (auto frame = broker_.transport().from_broker(peer_)) inbox_.push_back(std::move(*frame));
}

std::optional<Frame> SimPeer::look(v1::Op op) {
    read();
    const auto found = std::find_if(inbox_.begin(), inbox_.end(), [&](const Frame& frame) { return frame.op == op; });
    if (found == inbox_.end()) return std::nullopt;
    Frame frame = std::move(*found);
    inbox_.erase(found);
    return frame;
}

Frame SimPeer::await(v1::Op op) {
    if (auto frame = look(op)) return std::move(*frame);
    std::string why = "no op " + std::to_string(op) + " came;";
    for (const Frame& frame : inbox_) {
        why += " " + v1::Op_Name(frame.op);
        if (frame.op != v1::OP_ERROR) continue;
        const auto error = frame.as<v1::Error>();
        why += "(" + std::string(info(static_cast<Code>(error.code())).name) + " " + error.detail() + ")";
    }
    throw std::runtime_error(why);
}

Code SimPeer::refused() {
    const auto error = look<v1::Error>(v1::OP_ERROR);
    return error ? static_cast<Code>(error->code()) : Code::kOk;
}

void SimPeer::clear() {
    read();
    inbox_.clear();
}

bool SimPeer::connected() {
    read();
    return broker_.transport().open(peer_);
}

v1::HelloOk SimPeer::hello(const v1::HelloOk& resume) {
    v1::Hello hello;
    hello.set_proto_min(1);
    hello.set_proto_max(1);
    hello.set_client_name("peer");
    hello.set_resume_session(resume.session());
    hello.set_resume_token(resume.token());
    send(v1::OP_HELLO, hello);
    auto answer = await<v1::HelloOk>(v1::OP_HELLO_OK);
    epoch_ = answer.epoch();
    return answer;
}

std::uint32_t SimPeer::open(std::string_view queue, const v1::QueueOptions& options) {
    v1::Open open;
    open.set_req(request());
    open.set_name(std::string(queue));
    open.set_create(true);
    *open.mutable_options() = options;
    send(v1::OP_OPEN, open);
    return await<v1::Opened>(v1::OP_OPENED).handle();
}

void SimPeer::ask_producer(std::uint32_t handle, std::uint64_t producer, std::string_view name) {
    v1::OpenProducer open;
    open.set_req(request());
    open.set_handle(handle);
    open.set_producer(producer);
    open.set_name(std::string(name));
    send(v1::OP_OPEN_PRODUCER, open);
}

std::uint64_t SimPeer::open_producer(std::uint32_t handle, std::uint64_t producer) {
    return open_named(handle, {}, producer).producer();
}

v1::ProducerOpened SimPeer::open_named(std::uint32_t handle, std::string_view name, std::uint64_t producer) {
    ask_producer(handle, producer, name);
    return await<v1::ProducerOpened>(v1::OP_PRODUCER_OPENED);
}

Code SimPeer::refused_named(std::uint32_t handle, std::string_view name, std::uint64_t producer) {
    ask_producer(handle, producer, name);
    return refused();
}

void SimPeer::put(std::uint32_t handle, std::uint64_t producer, std::uint64_t first, std::uint32_t count,
                  std::size_t bytes, std::uint64_t known_below) {
    v1::Put put;
    put.set_handle(handle);
    put.set_known_below(known_below);
    send(v1::OP_PUT, put, make_batch(producer, first, count, bytes));
}

void SimPeer::cancel(std::uint32_t handle, std::uint64_t producer, std::uint64_t first, std::uint32_t count) {
    v1::Cancel cancel;
    cancel.set_handle(handle);
    cancel.set_producer(producer);
    cancel.set_first_sequence(first);
    cancel.set_count(count);
    send(v1::OP_CANCEL, cancel);
}

std::uint64_t SimPeer::close_producer(std::uint32_t handle, std::uint64_t producer) {
    v1::CloseProducer close;
    close.set_req(request());
    close.set_handle(handle);
    close.set_producer(producer);
    send(v1::OP_CLOSE_PRODUCER, close);
    return close.req();
}

std::uint64_t SimPeer::seal(std::uint32_t handle) {
    v1::Seal seal;
    seal.set_req(request());
    seal.set_handle(handle);
    send(v1::OP_SEAL, seal);
    return seal.req();
}

std::uint32_t SimPeer::attach(std::uint32_t handle, std::uint64_t credit, std::initializer_list<std::uint64_t> held) {
    v1::Attach attach;
    attach.set_req(request());
    attach.set_handle(handle);
    attach.set_credit_messages(credit);
    attach.set_credit_bytes(limits::kCreditBytesMax);
    attach.mutable_held()->Add(held.begin(), held.end());
    send(v1::OP_ATTACH, attach);
    return await<v1::Attached>(v1::OP_ATTACHED).sub();
}

void SimPeer::settle(std::uint32_t sub, std::uint64_t number, v1::Settle::Verdict verdict,
                     std::initializer_list<std::uint64_t> triples, std::uint64_t delay_ms) {
    v1::Settle settle;
    settle.set_sub(sub);
    settle.set_settle(number);
    settle.set_verdict(verdict);
    settle.set_delay_ms(delay_ms);
    settle.mutable_ranges()->Add(triples.begin(), triples.end());
    send(v1::OP_SETTLE, settle);
}

v1::QueueState SimPeer::show(std::string_view queue) {
    v1::Show show;
    show.set_req(request());
    show.set_name(std::string(queue));
    send(v1::OP_SHOW, show);
    return await<v1::Queues>(v1::OP_QUEUES).queues(0);
}

v1::QueueOptions bounded(std::uint64_t maxsize, std::uint32_t on_full, std::uint32_t durability) {
    v1::QueueOptions options;
    options.set_maxsize(maxsize);
    options.set_on_full(on_full);
    options.set_durability(durability);
    return options;
}

Slice make_batch(std::uint64_t producer, std::uint64_t first, std::uint32_t count, std::size_t bytes) {
    batch::Builder builder;
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::string payload(bytes, static_cast<char>('a' + (first + i) % 26));
        builder.append({.payload = as_bytes(payload), .key = std::nullopt, .headers = nullptr}, SIZE_MAX);
    }
    return builder.seal(ProducerId(producer), Sequence(first), WallTime{1'700'000'000'000});
}

std::vector<frame::Run> runs_of(const frame::Numbers& triples) {
    auto runs = frame::read_runs(triples, SIZE_MAX);
    if (!runs) throw std::runtime_error("runs: " + runs.error().message());
    return *runs;
}

}  // namespace telpher::sim
