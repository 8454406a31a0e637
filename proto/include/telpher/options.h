// What a caller can say about a client, a queue, a put and a get. Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace telpher {

using Millis = std::chrono::milliseconds;

/// No limit in time.
inline constexpr Millis kForever = Millis::max();

/// What happens to a put when the queue is full.
enum class OnFull : std::uint8_t { kBlock = 1, kReject = 2, kDropOldest = 3 };

/// When a put is confirmed: after fdatasync, after write(2) (survives a kill, not a power cut), or in memory.
enum class Durability : std::uint8_t { kFsync = 1, kAsync = 2, kMemory = 3 };

/// Options of a queue. Those given are asked for when it is made, and compared when it is there (kQueueMismatch); those
/// left out take the broker's defaults.
struct QueueOptions {
    std::optional<std::uint64_t> maxsize{};    ///< Messages, 1..1,000,000,000; default 10,000.
    std::optional<std::uint64_t> max_bytes{};  ///< 0 = no bound (default).
    std::optional<OnFull> on_full{};           ///< Default kBlock.
    std::optional<Durability> durability{};    ///< Default kFsync.
    std::optional<Millis> lease{};  ///< A message not settled in this time goes to somebody else; 0 (default) = as
                                    ///< long as the consumer's session lives.
    /// Failed attempts (0..1,000) that make a message a dead letter; default 20, 0 = it is tried for ever.
    std::optional<std::uint32_t> max_attempts{};
    /// How long a failed message waits for its second attempt; doubled with every further one, a fifth more or less.
    /// Default 1 s.
    std::optional<Millis> backoff{};
    std::optional<Millis> backoff_max{};  ///< Between two attempts at most; default 10 min, at most 7 days.
    bool create = true;                   ///< Make the queue if it is absent; false: kNotFound.
    bool wait = false;                    ///< With create = false: wait until somebody makes it.
    /// Of this handle, not of the queue: its puts go on with those of everybody who put under this name before (any
    /// 1..255 bytes; empty: none). See Queue::next_sequence().
    std::string producer_name{};
};

/// Options of a client.
struct ClientOptions {
    /// Broker endpoint: "tcp://host:port" or "ipc:///path". Empty: $TELPHER_SERVER, else
    /// ipc:///run/telpher/telpher.sock.
    std::string server{};
    /// Key file of the user, which names the broker's public key too; for brokers that use keys on tcp (not needed on
    /// ipc). Empty: $TELPHER_KEY_FILE, else none.
    std::string key_file{};
    std::string name{};              ///< For people (shown by `telpher status`); default: program name and pid.
    Millis connect_timeout{10'000};  ///< How long calls wait for a broker before kUnreachable, when never connected.
    Millis leave_timeout{5'000};     ///< How long the destructor of the client waits for puts that have no outcome.
    /// Called when the client has a broker (true) and when it has none any more (false), from the engine thread; must
    /// not block. May be empty.
    std::function<void(bool connected)> on_connection{};
    /// Called with one line per event (connected, lost, ...) from the engine thread; must not block. Empty: silent.
    std::function<void(const std::string&)> log{};
};

/// Options of one put.
struct PutOptions {
    Millis timeout = kForever;  ///< Over: kTimeout, and the message is certainly not in the queue.
    std::stop_token stop{};     ///< Stops the wait: kStopped, and the message is certainly not in the queue.
    std::string key{};          ///< Empty: none. At most 4 KiB.
    std::vector<std::pair<std::string, std::string>> headers{};
};

/// Options of a consumer of a queue.
struct ConsumeOptions {
    /// Messages held at most, ready to be handled or being handled. 0: adapts (free slots plus what was settled
    /// lately).
    std::uint32_t prefetch = 0;
    std::stop_token stop{};  ///< Ends the loop; messages not taken yet are released.
    std::string name{};      ///< For people.
    /// Messages taken in all; then next() is kStopped. No more are asked for, so that none is drawn in vain. 0 = no
    /// limit.
    std::uint64_t messages_max = 0;
};

/// Options of a handler pool.
struct RunOptions {
    unsigned threads = 1;            ///< Handler threads of this process, 1..1024.
    std::uint32_t prefetch = 0;      ///< As in ConsumeOptions.
    std::stop_token stop{};          ///< Stop taking, finish what is being handled, release the rest, return.
    Millis idle = kForever;          ///< Return when nothing came for this long.
    std::uint64_t messages_max = 0;  ///< Return after this many were handled; 0 = no limit.
};

}  // namespace telpher
