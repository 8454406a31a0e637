// The one catalogue of errors, and Result<T>. Public: the same codes on the wire, in C++ and on the command line.
// Values; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

#include "telpher/export.h"

namespace telpher {

/// Why something was refused or failed. The number is the wire code: never reuse one (docs/protocol/errors.md).
enum class Code : std::uint32_t {
    kOk = 0,
    // The message or batch was refused; the queue says why.
    kFull = 1,             ///< The queue is full and its policy is reject.
    kSealed = 2,           ///< The queue takes no more puts.
    kCancelled = 3,        ///< Cancelled by the caller before admission: certainly not in the queue.
    kDeadlock = 4,         ///< Every lease holder of the full queue waits in a put to it.
    kTooLarge = 5,         ///< Message, batch, name or frame over its limit.
    kDiskFull = 6,         ///< The disk is above its watermark; puts resume by themselves.
    kUnknownProducer = 7,  ///< The producer id is not known (expired): open a new one.
    kFenced = 8,           ///< Somebody else has opened the producer of this name since.
    // Outcomes of a wait.
    kTimeout = 10,    ///< The time given was over; for a put: certainly not in the queue.
    kEmpty = 11,      ///< Nothing to get within the time given.
    kEnd = 12,        ///< The queue is sealed and drained: there will be no more messages.
    kUnknown = 13,    ///< The connection was lost first: the put may or may not be in the queue.
    kLost = 14,       ///< A memory queue lost messages in a restart of the broker.
    kStopped = 15,    ///< The caller asked to stop.
    kLeaseLost = 16,  ///< The lease ended and somebody else holds the message.
    // The queue or the request.
    kNotFound = 20,       ///< No queue of that name.
    kQueueMismatch = 21,  ///< The queue exists with other options.
    kWrongShard = 22,     ///< The name belongs to another shard.
    kBadName = 23,        ///< A queue name breaks the rules of docs/protocol.
    kBadOption = 24,      ///< An option is out of range or makes no sense here.
    kUnsupported = 25,    ///< An op, column or feature this broker does not know.
    kLimit = 26,          ///< A count limit is reached (queues, handles, consumers, joiners, connections).
    kBusy = 27,           ///< The queue cannot be changed or removed as it is (say: it is not empty).
    kDenied = 28,         ///< The user has no right to do this to this queue.
    // The session. Fatal ones end it.
    kProtocol = 40,         ///< A frame breaks the protocol (fatal).
    kVersion = 41,          ///< No protocol version in common (fatal).
    kStaleSession = 42,     ///< The epoch is not the session's (fatal to the connection, not to the newer one).
    kFlowViolation = 43,    ///< The peer sent beyond its limit (fatal).
    kHelloRequired = 44,    ///< The first frame was not HELLO (fatal).
    kChecksum = 45,         ///< A batch does not match its checksum (fatal).
    kRestarting = 46,       ///< The broker is shutting down; reconnect later.
    kTooManySessions = 47,  ///< The connection or session cap is reached (fatal).
    kAuth = 48,             ///< The broker does not let this key in, or one side wants keys and the other not (fatal).
    // The machine.
    kStorage = 60,       ///< The log failed: the shard has stopped for good.
    kCorrupt = 61,       ///< Confirmed data is damaged; nothing was truncated.
    kFormat = 62,        ///< A file is of a version or kind this program does not know.
    kLocked = 63,        ///< Another daemon uses the data directory.
    kAddressInUse = 64,  ///< The address is taken or cannot be bound.
    kIo = 65,            ///< A system call failed; the text names it.
    // The client's own.
    kUnreachable = 80,  ///< No broker answered in time.
    kForked = 81,       ///< The object was made before fork() in another process.
    kUsage = 82,        ///< The call or the command line makes no sense.
    kConfig = 83,       ///< A setting is wrong.
    kInternal = 99,     ///< A bug in Telpher: please report it.
};

/// One row of the catalogue.
struct CodeInfo {
    Code code;
    std::string_view name;  ///< Stable: "E_QUEUE_FULL" and so on.
    bool retryable;         ///< The same request may succeed later.
    bool client_fault;      ///< The client must change something.
    bool fatal;             ///< The broker ends the session after sending it.
    std::string_view text;  ///< One sentence for people.
};

/// The row of `code`; unknown codes get that of kInternal.
TELPHER_API TELPHER_API const CodeInfo& info(Code code);
/// Every row, in rising order of the code.
TELPHER_API std::span<const CodeInfo> catalogue();

/// An error: a code of the catalogue and what failed, where, and what to try.
class TELPHER_API Error {
public:
    explicit Error(Code code) : code_(code) {}
    Error(Code code, std::string detail) : code_(code), detail_(std::move(detail)) {}

    [[nodiscard]] Code code() const { return code_; }
    [[nodiscard]] const std::string& detail() const { return detail_; }
    /// "E_NOT_FOUND: no queue of that name: jobs".
    [[nodiscard]] std::string message() const;

private:
    Code code_;
    std::string detail_;
};

/// A value or an Error; mirrors std::expected.
template <class T>
using Result = tl::expected<T, Error>;

/// `return fail(Code::kFull, "...");` from any function that returns a Result.
inline tl::unexpected<Error> fail(Code code, std::string detail = {}) {
    return tl::unexpected<Error>(Error(code, std::move(detail)));
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace telpher
