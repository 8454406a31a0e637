#include <algorithm>
#include <array>

#include "telpher/error.h"

namespace telpher {
namespace {

//   code                     name                    retry  client fatal  text
constexpr std::array kCatalogue{
    CodeInfo{Code::kOk, "OK", false, false, false, "done"},
    CodeInfo{Code::kFull, "E_QUEUE_FULL", true, false, false, "the queue is full and rejects puts"},
    CodeInfo{Code::kSealed, "E_SEALED", false, true, false, "the queue is sealed and takes no more puts"},
    CodeInfo{Code::kCancelled, "E_CANCELLED", true, false, false, "cancelled before admission: not in the queue"},
    CodeInfo{Code::kDeadlock, "E_DEADLOCK", true, true, false,
             "every lease holder of the full queue waits to put to it"},
    CodeInfo{Code::kTooLarge, "E_TOO_LARGE", false, true, false, "larger than its limit"},
    CodeInfo{Code::kDiskFull, "E_DISK_FULL", true, false, false, "the broker's disk is full; settle or wait"},
    CodeInfo{Code::kUnknownProducer, "E_UNKNOWN_PRODUCER", false, true, false, "the producer id is not known here"},
    CodeInfo{Code::kFenced, "E_FENCED", false, true, false, "another session has taken this producer's name over"},
    CodeInfo{Code::kTimeout, "E_TIMEOUT", true, false, false, "the time given is over"},
    CodeInfo{Code::kEmpty, "E_EMPTY", true, false, false, "nothing to get in the time given"},
    CodeInfo{Code::kEnd, "E_END", false, false, false, "the queue is sealed and drained"},
    CodeInfo{Code::kUnknown, "E_UNKNOWN_OUTCOME", false, false, false, "connection lost before the outcome was known"},
    CodeInfo{Code::kLost, "E_LOST", false, false, false, "a memory queue lost messages in a restart"},
    CodeInfo{Code::kStopped, "E_STOPPED", false, false, false, "the caller asked to stop"},
    CodeInfo{Code::kLeaseLost, "E_LEASE_LOST", false, false, false, "the lease ended and the message has moved on"},
    CodeInfo{Code::kNotFound, "E_NOT_FOUND", false, true, false, "no queue of that name"},
    CodeInfo{Code::kQueueMismatch, "E_QUEUE_MISMATCH", false, true, false, "the queue exists with other options"},
    CodeInfo{Code::kWrongShard, "E_WRONG_SHARD", false, true, false, "the queue belongs to another shard"},
    CodeInfo{Code::kBadName, "E_BAD_NAME", false, true, false, "not a valid name"},
    CodeInfo{Code::kBadOption, "E_BAD_OPTION", false, true, false, "an option is out of range"},
    CodeInfo{Code::kUnsupported, "E_UNSUPPORTED", false, true, false, "not known to this broker"},
    CodeInfo{Code::kLimit, "E_LIMIT", true, false, false, "a count limit is reached"},
    CodeInfo{Code::kBusy, "E_BUSY", true, false, false, "not possible while the queue is in use"},
    CodeInfo{Code::kDenied, "E_DENIED", false, true, false, "the user has no right to do this"},
    CodeInfo{Code::kProtocol, "E_PROTOCOL", false, true, true, "a frame breaks the protocol"},
    CodeInfo{Code::kVersion, "E_VERSION", false, true, true, "no protocol version in common"},
    CodeInfo{Code::kStaleSession, "E_STALE_SESSION", false, false, true, "a newer connection has this session"},
    CodeInfo{Code::kFlowViolation, "E_FLOW_VIOLATION", false, true, true, "sent beyond the limit"},
    CodeInfo{Code::kHelloRequired, "E_HELLO_REQUIRED", false, true, true, "the first frame must be HELLO"},
    CodeInfo{Code::kChecksum, "E_CHECKSUM", false, true, true, "a batch does not match its checksum"},
    CodeInfo{Code::kRestarting, "E_RESTARTING", true, false, false, "the broker is shutting down"},
    CodeInfo{Code::kTooManySessions, "E_TOO_MANY_SESSIONS", true, false, true, "the connection cap is reached"},
    CodeInfo{Code::kAuth, "E_AUTH_FAILED", false, true, true, "the broker does not let this client in"},
    CodeInfo{Code::kStorage, "E_STORAGE", false, false, false, "the shard's log failed; the shard has stopped"},
    CodeInfo{Code::kCorrupt, "E_CORRUPT", false, false, false, "confirmed data is damaged"},
    CodeInfo{Code::kFormat, "E_FORMAT", false, false, false, "not a format this program knows"},
    CodeInfo{Code::kLocked, "E_LOCKED", true, false, false, "another daemon uses the data directory"},
    CodeInfo{Code::kAddressInUse, "E_ADDRESS_IN_USE", true, false, false, "the address cannot be bound"},
    CodeInfo{Code::kIo, "E_IO", false, false, false, "a system call failed"},
    CodeInfo{Code::kUnreachable, "E_UNREACHABLE", true, false, false, "no broker answered in time"},
    CodeInfo{Code::kForked, "E_FORKED", false, true, false, "made in another process before fork()"},
    CodeInfo{Code::kUsage, "E_USAGE", false, true, false, "the call or command line makes no sense"},
    CodeInfo{Code::kConfig, "E_CONFIG", false, true, false, "a setting is wrong"},
    CodeInfo{Code::kInternal, "E_INTERNAL", false, false, false, "a bug in Telpher; please report it"},
};
static_assert(std::ranges::adjacent_find(kCatalogue, std::ranges::greater_equal{}, &CodeInfo::code) == kCatalogue.end(),
              "codes rise and are unique");
static_assert(kCatalogue.back().code == Code::kInternal, "info() falls back to the last row");

}  // namespace

const CodeInfo& info(Code code) {
    const auto row = std::ranges::lower_bound(kCatalogue, code, {}, &CodeInfo::code);
    return row != kCatalogue.end() && row->code == code ? *row : kCatalogue.back();
}

std::span<const CodeInfo> catalogue() { return kCatalogue; }

std::string Error::message() const {
    const CodeInfo& row = info(code_);
    std::string text(row.name);
    text += ": ";
    text += row.text;
    if (!detail_.empty()) {
        text += ": ";
        text += detail_;
    }
    return text;
}

}  // namespace telpher
