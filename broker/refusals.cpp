#include "broker/refusals.h"

#include <string>

#include "proto/base/clock.h"
#include "proto/service/log_line.h"

namespace telpher::broker {
namespace {

constexpr Duration kTellEvery = std::chrono::seconds(1);

struct Words {
    std::string_view name;
    std::string_view text;
};

constexpr std::array<Words, kRefusals> kWords{
    Words{"unknown_key", "its key is nobody's"},
    Words{"mechanism", "one side uses keys (CURVE) and the other does not"},
    Words{"server_key", "it has another broker's public key"},
    Words{"handshake", "the handshake was broken off: no client, or one without the keys that are due"},
    Words{"unfinished", "too many connections that have not said HELLO"},
    Words{"denied", "no right"},
    Words{"other_user", "it claims what is another user's"},
};

}  // namespace

std::string_view Refusals::name(Refusal reason) { return kWords.at(static_cast<std::size_t>(reason)).name; }

void Refusals::count(Refusal reason, std::string_view who) {
    Row& row = rows_.at(static_cast<std::size_t>(reason));
    const std::uint64_t count = row.count.fetch_add(1, std::memory_order_relaxed) + 1;
    const std::int64_t now = system_clock().now().ns;
    std::int64_t next = row.next_ns.load(std::memory_order_relaxed);
    if (now < next || !row.next_ns.compare_exchange_strong(next, now + kTellEvery.count())) return;
    const std::uint64_t before = row.told.exchange(count, std::memory_order_relaxed);
    const Words& words = kWords.at(static_cast<std::size_t>(reason));
    // Who is gone already has no address any more.
    std::string text =
        "refused: " + std::string(who.empty() ? "a peer that has gone" : who) + ": " + std::string(words.text);
    if (count - before > 1) text += " (" + std::to_string(count - before) + " such since the last line)";
    service::log_line(spdlog::level::warn, "refused", text, {{"reason", words.name}, {"count", std::to_string(count)}});
}

}  // namespace telpher::broker
