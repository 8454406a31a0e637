#include "tests/fuzz/hostile_client.h"

#include "proto/base/check.h"
#include "proto/batch.h"

namespace telpher::fuzz {
namespace {

constexpr std::size_t kRememberedMax = 8;

std::string pick_name(Choices& choices) {
    switch (choices.below(8)) {
        case 0:
            return choices.text(16);
        case 1:
            return "memory";
        case 2:
            return "{a}/b";
        default:
            return "a";
    }
}

void fill(Choices& choices, v1::QueueOptions& options) {
    const std::uint8_t which = choices.byte();
    if ((which & 1U) != 0) options.set_maxsize(choices.number());
    if ((which & 2U) != 0) options.set_max_bytes(choices.number());
    if ((which & 4U) != 0) options.set_on_full(choices.below(5));
    if ((which & 8U) != 0) options.set_durability(choices.below(5));
    if ((which & 16U) != 0) options.set_lease_ms(choices.number());
    if ((which & 32U) != 0) options.set_max_attempts(choices.number32());
    if ((which & 64U) != 0) options.set_backoff_ms(choices.number());
    if ((which & 128U) != 0) options.set_backoff_max_ms(choices.number());
}

/// Remembers the latest few.
template <class List, class Item>
void remember(List& list, const Item& item) {
    if (list.size() == kRememberedMax) list.erase(list.begin());
    list.push_back(item);
}

WallTime put_time(Choices& choices) {
    const std::uint64_t ms = choices.number();
    return {ms < 250 ? 1'700'000'000'000 : static_cast<std::int64_t>(ms)};
}

/// A batch as clients make them; now and then not quite.
Slice make_batch(Choices& choices, std::uint64_t producer, std::uint64_t first, std::uint32_t count) {
    const std::vector<std::pair<std::string, std::string>> headers{{"name", "value"}};
    const std::uint8_t shape = choices.byte();
    batch::Builder builder;
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::string payload(shape % 64U * (1 + i % 3), 'p');
        batch::RecordIn record{as_bytes(payload), {}, (shape & 64U) != 0 ? &headers : nullptr};
        if ((shape & 128U) != 0) record.key = "key";
        builder.append(record, SIZE_MAX);
    }
    const Slice sealed = builder.seal(ProducerId(producer), Sequence(first), put_time(choices));
    if (choices.byte() < 240) return sealed;
    std::string damaged(as_text(sealed.bytes()));
    damaged[choices.number() % damaged.size()] = static_cast<char>(choices.byte());
    return Slice::own(damaged.substr(0, damaged.size() - choices.below(2)));
}

}  // namespace

void HostileClient::act(Choices& choices) {
    using Action = void (HostileClient::*)(Choices&);
    // What leads somewhere comes more often.
    static constexpr std::array kActions{&HostileClient::hello,
                                         &HostileClient::open,
                                         &HostileClient::open,
                                         &HostileClient::open_producer,
                                         &HostileClient::open_producer,
                                         &HostileClient::put,
                                         &HostileClient::put,
                                         &HostileClient::put,
                                         &HostileClient::attach,
                                         &HostileClient::settle,
                                         &HostileClient::settle,
                                         &HostileClient::extend,
                                         &HostileClient::cancel,
                                         &HostileClient::end,
                                         &HostileClient::change,
                                         &HostileClient::look,
                                         &HostileClient::ping,
                                         &HostileClient::raw,
                                         &HostileClient::handle_dead,
                                         &HostileClient::close_producer,
                                         &HostileClient::of_subscription};
    const Action action = kActions[choices.byte() % kActions.size()];
    (this->*action)(choices);
}

template <class Message>
void HostileClient::send(v1::Op op, Message& message, Choices& choices, const std::vector<Slice>& bodies) {
    if constexpr (requires { message.set_req(0); }) message.set_req(++requests_);
    if constexpr (requires { message.set_epoch(0); }) {
        message.set_epoch(choices.byte() < 250 ? hello_.epoch() : choices.number32());
    }
    broker_.transport().to_broker(peer_, frame::encode(op, message), bodies);
}

void HostileClient::hello(Choices& choices) {
    v1::Hello hello;
    const std::uint8_t how = choices.byte();
    hello.set_proto_min(how < 250 ? 1 : choices.number32());
    hello.set_proto_max(how < 250 ? 1 : choices.number32());
    hello.set_client_name(how == 249 ? choices.text() : "hostile");
    if ((how & 1U) != 0) {
        hello.set_resume_session(how == 247 ? choices.number() : hello_.session());
        hello.set_resume_token(how == 245 ? choices.text() : hello_.token());
    }
    send(v1::OP_HELLO, hello, choices);
}

void HostileClient::open(Choices& choices) {
    v1::Open open;
    open.set_name(pick_name(choices));
    const std::uint8_t how = choices.byte();
    open.set_create((how & 1U) == 0);
    open.set_wait((how & 2U) != 0);
    if ((how & 4U) != 0) fill(choices, *open.mutable_options());
    if (open.name() == "memory") open.mutable_options()->set_durability(3);
    send(v1::OP_OPEN, open, choices);
}

void HostileClient::open_producer(Choices& choices) {
    v1::OpenProducer open;
    open.set_handle(pick_handle(choices));
    const std::uint8_t how = choices.below(4);
    if (how == 1) open.set_name(choices.flag() ? "named" : choices.text());
    if (how == 2) open.set_producer(choices.number());
    if (how == 3 && !producers_.empty()) open.set_producer(pick_producer(choices)->producer);
    asked_handle_ = open.handle();
    send(v1::OP_OPEN_PRODUCER, open, choices);
}

void HostileClient::close_producer(Choices& choices) {
    v1::CloseProducer close;
    close.set_handle(pick_handle(choices));
    close.set_producer(producers_.empty() ? choices.number() : pick_producer(choices)->producer);
    send(v1::OP_CLOSE_PRODUCER, close, choices);
}

void HostileClient::put(Choices& choices) {
    OpenProducer unknown{pick_handle(choices), choices.number(), 0};
    OpenProducer& producer = producers_.empty() || unknown.producer > 250 ? unknown : *pick_producer(choices);
    const std::uint8_t how = choices.byte();
    const std::uint32_t count = 1 + choices.byte() % 32U;
    const std::uint64_t first = how < 200 ? producer.next : choices.number();
    v1::Put put;
    put.set_handle(producer.handle);
    if ((how & 1U) != 0) put.set_known_below(choices.number());
    if ((how & 2U) != 0 && !held_.empty()) {
        const Held& under = held_[choices.byte() % held_.size()];
        put.set_under_offset(under.first + choices.below(2));
        put.set_under_delivery(under.delivery);
    }
    if (how < 200) producer.next = first + count;
    std::vector<Slice> bodies{how == 255 ? Slice::own(choices.text())
                                         : make_batch(choices, producer.producer, first, count)};
    if (how == 254) bodies.clear();
    send(v1::OP_PUT, put, choices, bodies);
}

void HostileClient::cancel(Choices& choices) {
    v1::Cancel cancel;
    cancel.set_handle(pick_handle(choices));
    cancel.set_producer(producers_.empty() ? choices.number() : pick_producer(choices)->producer);
    cancel.set_first_sequence(choices.number());
    cancel.set_count(choices.number32());
    send(v1::OP_CANCEL, cancel, choices);
}

void HostileClient::attach(Choices& choices) {
    v1::Attach attach;
    attach.set_handle(pick_handle(choices));
    attach.set_credit_messages(choices.number());
    attach.set_credit_bytes(choices.flag() ? choices.number() : limits::kCreditBytesMax);
    if (choices.flag()) add_held(choices, *attach.mutable_held());
    attach.set_consumer_name(choices.text(8));
    send(v1::OP_ATTACH, attach, choices);
}

/// CREDIT, DETACH or CLOSE.
void HostileClient::of_subscription(Choices& choices) {
    switch (choices.below(4)) {
        case 0: {
            v1::Detach detach;
            detach.set_sub(pick_sub(choices));
            return send(v1::OP_DETACH, detach, choices);
        }
        case 1: {
            v1::Close close;
            close.set_handle(pick_handle(choices));
            return send(v1::OP_CLOSE, close, choices);
        }
        default: {
            v1::Credit credit;
            credit.set_sub(pick_sub(choices));
            credit.set_messages(choices.number());
            credit.set_bytes(choices.flag() ? choices.number() : limits::kCreditBytesMax);
            return send(v1::OP_CREDIT, credit, choices);
        }
    }
}

void HostileClient::settle(Choices& choices) {
    v1::Settle settle;
    settle.set_sub(pick_sub(choices));
    settle.set_settle(choices.byte() < 250 ? ++settles_ : choices.number());
    settle.set_verdict(static_cast<v1::Settle::Verdict>(1 + choices.below(5)));
    const std::uint8_t how = choices.byte();
    if ((how & 1U) != 0) settle.set_delay_ms(choices.number());
    settle.set_backoff((how & 2U) != 0);
    if ((how & 4U) != 0) settle.set_reason(choices.text());
    add_held(choices, *settle.mutable_ranges());
    send(v1::OP_SETTLE, settle, choices);
}

void HostileClient::extend(Choices& choices) {
    v1::Extend extend;
    extend.set_sub(pick_sub(choices));
    extend.set_lease_ms(choices.number());
    add_held(choices, *extend.mutable_ranges());
    send(v1::OP_EXTEND, extend, choices);
}

/// SEAL, REOPEN, JOIN or LEAVE.
void HostileClient::end(Choices& choices) {
    switch (choices.below(4)) {
        case 0: {
            v1::Seal seal;
            seal.set_handle(pick_handle(choices));
            return send(v1::OP_SEAL, seal, choices);
        }
        case 1: {
            v1::Reopen reopen;
            reopen.set_handle(pick_handle(choices));
            return send(v1::OP_REOPEN, reopen, choices);
        }
        case 2: {
            v1::Join join;
            join.set_handle(pick_handle(choices));
            join.set_generation(choices.number32());
            join.set_sealed(choices.flag());
            return send(v1::OP_JOIN, join, choices);
        }
        default: {
            v1::Leave leave;
            const std::uint64_t back = choices.number();
            send(v1::OP_LEAVE, leave, choices);
            leave.set_epoch(hello_.epoch());
            leave.set_req(requests_ - back);
            broker_.transport().to_broker(peer_, v1::OP_LEAVE, leave);
        }
    }
}

void HostileClient::change(Choices& choices) {
    v1::Change change;
    change.set_what(static_cast<v1::Change::What>(choices.below(7)));
    change.set_name(pick_name(choices));
    change.set_force(choices.flag());
    if (choices.flag()) fill(choices, *change.mutable_options());
    send(v1::OP_CHANGE, change, choices);
}

/// LIST, SHOW, PEEK or STATUS.
void HostileClient::look(Choices& choices) {
    switch (choices.below(4)) {
        case 0: {
            v1::List list;
            list.set_after(choices.text(4));
            list.set_max(choices.number32());
            return send(v1::OP_LIST, list, choices);
        }
        case 1: {
            v1::Show show;
            show.set_name(pick_name(choices));
            return send(v1::OP_SHOW, show, choices);
        }
        case 2: {
            v1::Peek peek;
            peek.set_name(pick_name(choices));
            peek.set_from(choices.number());
            peek.set_max(choices.number32());
            peek.set_state(choices.below(6));
            return send(v1::OP_PEEK, peek, choices);
        }
        default: {
            v1::Status status;
            return send(v1::OP_STATUS, status, choices);
        }
    }
}

void HostileClient::handle_dead(Choices& choices) {
    v1::HandleDead handle;
    handle.set_what(static_cast<v1::HandleDead::What>(choices.below(4)));
    handle.set_name(pick_name(choices));
    handle.set_first(choices.number());
    handle.set_count(choices.number());
    handle.set_max(choices.number32());
    send(v1::OP_HANDLE_DEAD, handle, choices);
}

void HostileClient::ping(Choices& choices) {
    if (choices.byte() == 255) {
        v1::Bye bye;
        return send(v1::OP_BYE, bye, choices);
    }
    v1::Ping ping;
    ping.set_stamp(choices.number());
    send(v1::OP_PING, ping, choices);
}

/// Any header at all, with any number of bodies.
void HostileClient::raw(Choices& choices) {
    const std::string header = choices.text();
    std::vector<Slice> bodies(choices.below(3));
    for (Slice& body : bodies) body = Slice::own(choices.text());
    broker_.transport().to_broker(peer_, header, bodies);
}

void HostileClient::read() {
    while (auto got = broker_.transport().from_broker(peer_)) {
        session::Received received;
        received.header = std::move(got->header);
        TELPHER_CHECK(got->bodies.size() <= received.bodies.size());
        std::move(got->bodies.begin(), got->bodies.end(), received.bodies.begin());
        received.body_count = got->bodies.size();
        const auto routed = decoder_.decode(received);
        TELPHER_CHECK_MSG(routed.has_value(), "the broker sent what no client takes");
        take(routed->frame);
    }
}

/// Remembers what later frames may name.
void HostileClient::take(const session::Frame& frame) {
    switch (frame.op) {
        case v1::OP_HELLO_OK:
            hello_ = frame.as<v1::HelloOk>();
            break;
        case v1::OP_OPENED:
            remember(handles_, frame.as<v1::Opened>().handle());
            break;
        case v1::OP_PRODUCER_OPENED: {
            const auto& opened = frame.as<v1::ProducerOpened>();
            remember(producers_, OpenProducer{asked_handle_, opened.producer(), opened.next_sequence()});
            break;
        }
        case v1::OP_ATTACHED:
            remember(subs_, frame.as<v1::Attached>().sub());
            break;
        case v1::OP_DELIVER: {
            const auto& deliver = frame.as<v1::Deliver>();
            TELPHER_CHECK(frame.bodies[0].size() == deliver.count() * sizeof(std::uint32_t));
            remember(held_, Held{deliver.sub(), deliver.first_offset(), deliver.count(), deliver.delivery()});
            break;
        }
        case v1::OP_ERROR:
            // A bug of the broker's own is no answer to anything.
            TELPHER_CHECK(static_cast<Code>(frame.as<v1::Error>().code()) != Code::kInternal);
            break;
        default:
            break;
    }
}

std::uint32_t HostileClient::pick_handle(Choices& choices) const {
    const std::uint8_t which = choices.byte();
    return handles_.empty() || which > 250 ? choices.number32() : handles_[which % handles_.size()];
}

std::uint32_t HostileClient::pick_sub(Choices& choices) const {
    const std::uint8_t which = choices.byte();
    return subs_.empty() || which > 250 ? choices.number32() : subs_[which % subs_.size()];
}

HostileClient::OpenProducer* HostileClient::pick_producer(Choices& choices) {
    return &producers_[choices.byte() % producers_.size()];
}

/// Triples: what is held, parts of it, or anything.
void HostileClient::add_held(Choices& choices, google::protobuf::RepeatedField<std::uint64_t>& ranges) const {
    std::uint64_t end = 0;
    for (std::uint8_t runs = choices.below(4); runs > 0; --runs) {
        if (held_.empty() || choices.byte() > 230) {
            for (int i = 0; i < 3; ++i) ranges.Add(choices.number());
            end = UINT64_MAX;
            continue;
        }
        const Held& held = held_[choices.byte() % held_.size()];
        const std::uint64_t count = 1 + choices.byte() % held.count;
        if (held.first < end) continue;
        ranges.Add(held.first - end);
        ranges.Add(count);
        ranges.Add(held.delivery);
        end = held.first + count;
    }
}

}  // namespace telpher::fuzz
