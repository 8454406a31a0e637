#include "broker/queue/consumers.h"

#include <algorithm>

#include "proto/base/check.h"

namespace telpher::queue {

void Consumers::attach(ConsumerId id, bool holes) {
    const auto [credit, added] = all_.try_emplace(id);
    TELPHER_CHECK(added);
    credit->second.holes = holes;
}

void Consumers::detach(ConsumerId id) {
    const std::size_t removed = all_.erase(id);
    TELPHER_CHECK(removed == 1);
    hungry_.erase(id);
}

auto Consumers::at(ConsumerId id) -> Credit& {
    const auto found = all_.find(id);
    TELPHER_CHECK(found != all_.end());
    return found->second;
}

auto Consumers::credit(ConsumerId id) const -> const Credit& {
    const auto found = all_.find(id);
    TELPHER_CHECK(found != all_.end());
    return found->second;
}

void Consumers::raise(ConsumerId id, std::uint64_t messages_max, std::uint64_t bytes_max) {
    Credit& credit = at(id);
    credit.messages_max = std::max(credit.messages_max, messages_max);
    credit.bytes_asked = std::max(credit.bytes_asked, bytes_max);
    renew(id);
}

void Consumers::renew(ConsumerId id) {
    Credit& credit = at(id);
    const std::uint64_t most = credit.bytes + limits::kCreditBytesMax;
    credit.bytes_max = std::max(credit.bytes_max, std::min(credit.bytes_asked, most));
    if (credit.left()) hungry_.insert(id);
}

void Consumers::gave(ConsumerId id, std::uint64_t messages, std::uint64_t bytes) {
    Credit& credit = at(id);
    credit.messages += messages;
    credit.bytes += bytes;
    TELPHER_CHECK(credit.messages <= credit.messages_max);
    if (!credit.left()) hungry_.erase(id);
}

void Consumers::refund(ConsumerId id, std::uint64_t messages, std::uint64_t bytes) {
    Credit& credit = at(id);
    TELPHER_CHECK(messages <= credit.messages && bytes <= credit.bytes);
    credit.messages -= messages;
    credit.bytes -= bytes;
    if (credit.left()) hungry_.insert(id);
}

ConsumerId Consumers::next_turn() {
    TELPHER_CHECK(!hungry_.empty());
    auto next = hungry_.upper_bound(last_);
    if (next == hungry_.end()) next = hungry_.begin();
    last_ = *next;
    return last_;
}

std::uint64_t Consumers::credit_left(std::uint64_t enough) const {
    if (hungry_.size() >= enough) return enough;  // each may have one at least
    std::uint64_t left = 0;
    for (const ConsumerId id : hungry_) {
        if (left >= enough) break;
        const Credit& one = credit(id);
        left += std::min(one.messages_max - one.messages, enough - left);
    }
    return left;
}

void Consumers::check_all() const {
    for (const auto& [id, credit] : all_) TELPHER_CHECK(hungry_.contains(id) == credit.left());
    for (const ConsumerId id : hungry_) TELPHER_CHECK(all_.contains(id));
}

}  // namespace telpher::queue
