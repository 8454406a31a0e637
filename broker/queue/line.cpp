#include "broker/queue/line.h"

#include <algorithm>

#include "broker/queue/ledger.h"
#include "proto/base/check.h"

namespace telpher::queue {

auto Line::at(TicketId id) const -> const Ticket& {
    const auto found = tickets_.find(id);
    TELPHER_CHECK(found != tickets_.end());
    return found->second;
}

void Line::add(const Put& put) {
    TELPHER_CHECK(put.count > 0);
    Ticket ticket{put.ticket, MeanBytes(put.count, put.bytes)};
    if (put.under) {
        ticket.under = put.under->first;
        under_.emplace(put.under->first, put.ticket);
    }
    const bool added = tickets_.emplace(put.ticket, ticket).second;
    TELPHER_CHECK(added);
}

std::uint32_t Line::remove(TicketId id) {
    const auto found = tickets_.find(id);
    if (found == tickets_.end()) return 0;
    const std::uint32_t left = found->second.left();
    leave(found);
    return left;
}

void Line::move_to_end(TicketId id, TicketId renamed) {
    TELPHER_CHECK(tickets_.contains(id) && tickets_.rbegin()->first < renamed);
    auto node = tickets_.extract(id);
    Ticket& ticket = node.mapped();
    if (ticket.under) {
        under_.erase({*ticket.under, id});
        under_.emplace(*ticket.under, renamed);
    }
    ticket.id = renamed;
    node.key() = renamed;
    tickets_.insert(std::move(node));
}

void Line::forget_lease(TicketId id) {
    const auto found = tickets_.find(id);
    if (found == tickets_.end() || !found->second.under) return;
    under_.erase({*found->second.under, id});
    found->second.under.reset();
}

void Line::shrink(TicketId id, std::uint32_t count, std::uint64_t bytes) {
    const auto found = tickets_.find(id);
    TELPHER_CHECK(found != tickets_.end() && count < found->second.left());
    const MeanBytes& mean = found->second.mean;
    found->second.mean = MeanBytes(mean.count() - count, mean.bytes() - std::min(bytes, mean.bytes()));
}

void Line::leave(std::map<TicketId, Ticket>::iterator found) {
    const Ticket& ticket = found->second;
    if (ticket.under) under_.erase({*ticket.under, ticket.id});
    if (seal_ == Seal::kWaiting && ticket.before_seal) --before_seal_;
    tickets_.erase(found);
    reach_seal();
}

auto Line::next_in_turn() const -> const Ticket* {
    if (!turn_) return nullptr;
    const auto next = tickets_.upper_bound(turn_->served);
    return next == tickets_.end() || next->first > turn_->last ? nullptr : &next->second;
}

auto Line::next(std::uint64_t room) const -> Next {
    TELPHER_CHECK(!empty());
    if (const Ticket* ticket = next_in_turn()) return {ticket, turn_->quota};
    return {&first(), std::max<std::uint64_t>(1, room / size())};
}

bool Line::serve(TicketId id, std::uint32_t count, std::uint64_t room) {
    if (next_in_turn() == nullptr) {
        turn_ = Turn{TicketId(), tickets_.rbegin()->first, std::max<std::uint64_t>(1, room / size())};
    }
    turn_->served = id;
    return take(id, count);
}

bool Line::take(TicketId id, std::uint32_t count) {
    const auto found = tickets_.find(id);
    TELPHER_CHECK(found != tickets_.end());
    Ticket& ticket = found->second;
    TELPHER_CHECK(count > 0 && count <= ticket.left());
    ticket.taken += count;
    if (ticket.left() > 0) return false;
    leave(found);
    return true;
}

std::optional<TicketId> Line::waits_for_itself(const Ledger& ledger) const {
    const std::uint64_t leased = ledger.leased();
    if (leased == 0 || ledger.held() > 0 || leased > under_.size()) return std::nullopt;
    std::uint64_t named = 0;
    std::optional<TicketId> oldest;
    std::optional<Offset> previous;
    for (const auto& [offset, ticket] : under_) {
        if (!ledger.in_hands(offset)) continue;
        if (previous != offset) ++named;
        previous = offset;
        if (!oldest || ticket < *oldest) oldest = ticket;
    }
    return named == leased ? oldest : std::nullopt;
}

bool Line::seal() {
    if (sealing()) return false;
    seal_ = Seal::kWaiting;
    before_seal_ = tickets_.size();
    for (auto& [id, ticket] : tickets_) ticket.before_seal = true;
    reach_seal();
    return true;
}

void Line::reach_seal() {
    if (seal_ != Seal::kWaiting || before_seal_ > 0) return;
    seal_ = Seal::kSealed;
    sealed_now_ = true;
}

void Line::reopen() {
    seal_ = Seal::kOpen;
    sealed_now_ = false;
}

void Line::check_all() const {
    std::size_t before_seal = 0;
    std::size_t under = 0;
    for (const auto& [id, ticket] : tickets_) {
        TELPHER_CHECK(ticket.left() > 0);
        before_seal += ticket.before_seal ? 1 : 0;
        under += ticket.under ? 1 : 0;
    }
    TELPHER_CHECK(under == under_.size());
    TELPHER_CHECK(seal_ != Seal::kWaiting || (before_seal > 0 && before_seal == before_seal_));
}

}  // namespace telpher::queue
