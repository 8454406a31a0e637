// Who was not let in, or not allowed to, counted by reason and told to the log at most once a second for each. Any
// thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace telpher::broker {

enum class Refusal : std::uint8_t {
    kUnknownKey,  ///< A key that no user has.
    kMechanism,   ///< Keys where none are used, or none where they are.
    kServerKey,   ///< Sealed for another broker's key, or damaged.
    kHandshake,   ///< Not finished: by what is no client of ours, or by one that has seen that it lacks a key.
    kUnfinished,  ///< Too many connections that have not said HELLO.
    kDenied,      ///< The user has no right to it.
    kOtherUser,   ///< Another user's session, or another's name within a connection.
};
inline constexpr std::size_t kRefusals = 7;

class Refusals {
public:
    /// "unknown_key" and so on: stable, for scripts.
    static std::string_view name(Refusal reason);

    /// `who`: for the log; never a secret, nor a routing id.
    void count(Refusal reason, std::string_view who);
    [[nodiscard]] std::uint64_t counted(Refusal reason) const {
        return rows_.at(static_cast<std::size_t>(reason)).count.load(std::memory_order_relaxed);
    }

private:
    struct Row {
        std::atomic<std::uint64_t> count{0};
        std::atomic<std::uint64_t> told{0};
        std::atomic<std::int64_t> next_ns{0};
    };
    std::array<Row, kRefusals> rows_;
};

}  // namespace telpher::broker
