// The input is a header frame of either direction. What parses is written and parsed again, and its lists are read.
#include "proto/base/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "tests/fuzz/fuzz.h"

namespace telpher::fuzz {
namespace {

template <class Message>
void round_trip(Bytes header, Message& message) {
    const auto parsed = frame::parse(header, message);
    if (!parsed) {
        const Code code = parsed.error().code();
        TELPHER_CHECK(code == Code::kProtocol || code == Code::kTooLarge);
        return;
    }
    const v1::Op op = frame::op_of(header);
    const std::string again = frame::encode(op, message);
    Message second;
    TELPHER_CHECK(frame::op_of(as_bytes(again)) == op);
    TELPHER_CHECK(again.size() > frame::header_bytes_max(op) || frame::parse(as_bytes(again), second).has_value());
}

template <class Message>
void parse(Bytes header) {
    Message message;
    round_trip(header, message);
}

/// A message with lists: `lists` reads them.
template <class Message, class Lists>
void parse(Bytes header, Lists lists) {
    Message message;
    round_trip(header, message);
    lists(message);
}

void read_runs(const frame::Numbers& numbers) { (void)frame::read_runs(numbers, limits::kSettleRangesMax); }
void read_ranges(const frame::Numbers& numbers) { (void)frame::read_ranges(numbers, limits::kSettleRangesMax); }

void from_client(Bytes header) {
    switch (frame::op_of(header)) {
        case v1::OP_HELLO:
            return parse<v1::Hello>(header);
        case v1::OP_PING:
            return parse<v1::Ping>(header);
        case v1::OP_BYE:
            return parse<v1::Bye>(header);
        case v1::OP_OPEN:
            return parse<v1::Open>(header);
        case v1::OP_CLOSE:
            return parse<v1::Close>(header);
        case v1::OP_OPEN_PRODUCER:
            return parse<v1::OpenProducer>(header);
        case v1::OP_CLOSE_PRODUCER:
            return parse<v1::CloseProducer>(header);
        case v1::OP_PUT:
            return parse<v1::Put>(header);
        case v1::OP_CANCEL:
            return parse<v1::Cancel>(header);
        case v1::OP_ATTACH:
            return parse<v1::Attach>(header, [](const auto& m) { read_runs(m.held()); });
        case v1::OP_DETACH:
            return parse<v1::Detach>(header);
        case v1::OP_CREDIT:
            return parse<v1::Credit>(header);
        case v1::OP_SETTLE:
            return parse<v1::Settle>(header, [](const auto& m) { read_runs(m.ranges()); });
        case v1::OP_EXTEND:
            return parse<v1::Extend>(header, [](const auto& m) { read_runs(m.ranges()); });
        case v1::OP_SEAL:
            return parse<v1::Seal>(header);
        case v1::OP_REOPEN:
            return parse<v1::Reopen>(header);
        case v1::OP_JOIN:
            return parse<v1::Join>(header);
        case v1::OP_LEAVE:
            return parse<v1::Leave>(header);
        case v1::OP_CHANGE:
            return parse<v1::Change>(header);
        case v1::OP_LIST:
            return parse<v1::List>(header);
        case v1::OP_SHOW:
            return parse<v1::Show>(header);
        case v1::OP_PEEK:
            return parse<v1::Peek>(header);
        case v1::OP_STATUS:
            return parse<v1::Status>(header);
        case v1::OP_HANDLE_DEAD:
            return parse<v1::HandleDead>(header);
        default:
            return;
    }
}

void from_broker(Bytes header) {
    switch (frame::op_of(header)) {
        case v1::OP_HELLO_OK:
            return parse<v1::HelloOk>(header);
        case v1::OP_PONG:
            return parse<v1::Pong>(header);
        case v1::OP_GOODBYE:
            return parse<v1::Goodbye>(header);
        case v1::OP_OPENED:
            return parse<v1::Opened>(header);
        case v1::OP_PRODUCER_OPENED:
            return parse<v1::ProducerOpened>(header);
        case v1::OP_OK:
            return parse<v1::Ok>(header);
        case v1::OP_ERROR:
            return parse<v1::Error>(header);
        case v1::OP_CONFIRM:
            return parse<v1::Confirm>(header, [](const auto& m) {
                read_runs(m.stored());
                read_runs(m.refused());
            });
        case v1::OP_LIMIT:
            return parse<v1::Limit>(header);
        case v1::OP_PARKED:
            return parse<v1::Parked>(header);
        case v1::OP_ROOM:
            return parse<v1::Room>(header);
        case v1::OP_ATTACHED:
            return parse<v1::Attached>(header, [](const auto& m) { read_ranges(m.lost()); });
        case v1::OP_DELIVER:
            return parse<v1::Deliver>(header);
        case v1::OP_SETTLED:
            return parse<v1::Settled>(header);
        case v1::OP_RECALL:
            return parse<v1::Recall>(header, [](const auto& m) { read_runs(m.ranges()); });
        case v1::OP_END:
            return parse<v1::End>(header);
        case v1::OP_EXTENDED:
            return parse<v1::Extended>(header, [](const auto& m) { read_ranges(m.lost()); });
        case v1::OP_JOINED:
            return parse<v1::Joined>(header);
        case v1::OP_QUEUES:
            return parse<v1::Queues>(header);
        case v1::OP_PEEKED:
            return parse<v1::Peeked>(header);
        case v1::OP_STATUS_IS:
            return parse<v1::StatusIs>(header);
        case v1::OP_DEAD_HANDLED:
            return parse<v1::DeadHandled>(header);
        default:
            return;
    }
}

constexpr int kFirstOpOfBroker = 0x80;

}  // namespace

std::vector<std::string> seeds() {
    using namespace std::string_literals;
    // Fields 1..10 as varints, text, lists and a nested message, before every op there is.
    const std::string fields =
        "\x0d\1\0\0\0\x10\2\x18\3\x20\4\x2a\6\0\1\2\3\4\5\x32\3\x01\x02\x03\x52\2\x08\1"s
        "\x11\1\2\3\4\5\6\7\x08\x22\6\1\1\x01\2\1\1\x38\1"s;
    std::vector<std::string> all;
    for (int op = 1; op <= v1::OP_DEAD_HANDLED; ++op) {
        if (v1::Op_IsValid(op)) all.push_back(static_cast<char>(op) + fields);
    }
    return all;
}

}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace telpher;
    const Bytes header = std::as_bytes(std::span(data, size));
    frame::op_of(header) < fuzz::kFirstOpOfBroker ? fuzz::from_client(header) : fuzz::from_broker(header);
    return 0;
}
