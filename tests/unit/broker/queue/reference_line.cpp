// ReferenceQueue: puts, the line and the bound.
#include <algorithm>

#include "reference_queue.h"

namespace telpher::queue {

bool ReferenceQueue::seal_waits() const {
    return std::ranges::any_of(line, [](const auto& entry) { return entry.second.before_seal; });
}

bool ReferenceQueue::seal() {
    if (seal_asked) return false;
    seal_asked = true;
    for (auto& [id, ticket] : line) ticket.before_seal = true;
    return true;
}

void ReferenceQueue::reopen() {
    seal_asked = false;
    for (auto& [id, ticket] : line) ticket.before_seal = false;
}

Offered ReferenceQueue::offer(const Put& put) {
    if (seal_asked) {
        const bool live =
            put.under && put.under->first.value() < messages.size() && messages[put.under->first.value()].in_hands();
        if (!live) return Offered::kSealed;
    }
    line[put.ticket] = {put.count, 0, put.bytes, put.under, false};
    return Offered::kInLine;
}

std::uint32_t ReferenceQueue::cancel(TicketId ticket) {
    const auto found = line.find(ticket);
    if (found == line.end()) return 0;
    const std::uint32_t left = found->second.count - found->second.taken;
    line.erase(found);
    return left;
}

void ReferenceQueue::shrink(TicketId ticket, std::uint32_t count, std::uint64_t bytes) {
    line.at(ticket).count -= count;
    line.at(ticket).bytes = minus(line.at(ticket).bytes, bytes);
}

std::uint64_t ReferenceQueue::room() const {
    return options.max_bytes > 0 && bytes() >= options.max_bytes ? 0 : minus(options.maxsize, live());
}

std::uint64_t ReferenceQueue::turn_room() const {
    return minus(options.maxsize, options.on_full == OnFull::kDropOldest ? in_hands() : live());
}

/// Counts up message by message.
std::uint32_t ReferenceQueue::fitting(const Ticket& ticket, std::uint64_t most) const {
    std::uint64_t stays = 0;
    std::uint64_t weighs = 0;
    for (const Message& message : messages) {
        if (!message.live() || (options.on_full == OnFull::kDropOldest && !message.in_hands())) continue;
        ++stays;
        weighs += message.bytes;
    }
    const bool alone = stays == 0;
    std::uint32_t fits = 0;
    while (ticket.taken + fits < ticket.count && fits < most && stays < options.maxsize) {
        weighs += cost(ticket.count, ticket.bytes, ticket.taken + fits);
        ++stays;
        if (options.max_bytes > 0 && weighs > options.max_bytes && !(alone && fits == 0)) break;
        ++fits;
    }
    return fits;
}

auto ReferenceQueue::next_in_turn() const -> const std::pair<const TicketId, Ticket>* {
    if (turn_quota_ == 0) return nullptr;
    for (const auto& entry : line) {
        if (entry.first > turn_served_ && entry.first <= turn_last_) return &entry;
    }
    return nullptr;
}

std::optional<TicketId> ReferenceQueue::deadlocked() const {
    const bool hungry = std::ranges::any_of(consumers, [](const auto& entry) { return entry.second.left(); });
    if (hungry && count(Where::kReady) > 0) return std::nullopt;
    if (count(Where::kLeased) == 0 || count(Where::kHeld) > 0) return std::nullopt;
    std::optional<TicketId> oldest;
    for (std::size_t at = 0; at < messages.size(); ++at) {
        if (messages[at].where != Where::kLeased) continue;
        bool named = false;
        for (const auto& [id, ticket] : line) {
            if (!ticket.under || ticket.under->first != Offset(at)) continue;
            named = true;
            if (!oldest || id < *oldest) oldest = id;
        }
        if (!named) return std::nullopt;
    }
    return oldest;
}

auto ReferenceQueue::plan() const -> std::optional<Step> {
    if (line.empty()) return std::nullopt;
    if (options.on_full == OnFull::kReject) {
        const auto& [id, ticket] = *line.begin();
        const std::uint32_t fits = fitting(ticket, UINT64_MAX);
        if (fits > 0) return Step{id, fits, Code::kOk, 0};
        return Step{id, ticket.count - ticket.taken, Code::kFull, 0};
    }
    const auto* next = next_in_turn();
    const std::uint64_t quota = next != nullptr ? turn_quota_ : std::max<std::uint64_t>(1, turn_room() / line.size());
    if (next == nullptr) next = &*line.begin();
    const std::uint32_t fits = fitting(next->second, quota);
    if (fits > 0) return Step{next->first, fits, Code::kOk, quota};
    const auto stuck = deadlocked();
    if (!stuck) return std::nullopt;
    return Step{*stuck, line.at(*stuck).count - line.at(*stuck).taken, Code::kDeadlock, 0};
}

std::optional<TicketId> ReferenceQueue::next_admission() const {
    const auto step = plan();
    if (!step) return std::nullopt;
    return step->ticket;
}

std::optional<Admission> ReferenceQueue::admit_next() {
    const auto step = plan();
    if (!step) return std::nullopt;
    Admission admission{step->ticket, step->count, {}, step->refused, true, {}};
    if (step->refused != Code::kOk) {
        line.erase(step->ticket);
        if (step->refused == Code::kFull) counters.rejected += step->count;
        return admission;
    }
    if (options.on_full != OnFull::kReject) {
        if (next_in_turn() == nullptr) {
            turn_quota_ = step->quota;
            turn_last_ = line.rbegin()->first;
        }
        turn_served_ = step->ticket;
    }
    Ticket& ticket = line.at(step->ticket);
    std::vector<Message> coming(step->count);
    std::uint64_t weighs = 0;
    for (std::uint32_t i = 0; i < step->count; ++i) {
        coming[i].bytes = cost(ticket.count, ticket.bytes, ticket.taken + i);
        weighs += coming[i].bytes;
    }
    if (options.on_full == OnFull::kDropOldest) admission.dropped = make_room(step->count, weighs);
    admission.first = Offset(messages.size());
    messages.insert(messages.end(), coming.begin(), coming.end());
    ticket.taken += step->count;
    admission.finished = ticket.taken == ticket.count;
    if (admission.finished) line.erase(step->ticket);
    counters.put += step->count;
    counters.high_water = std::max(counters.high_water, live());
    return admission;
}

std::vector<Range> ReferenceQueue::make_room(std::uint64_t count, std::uint64_t weighs) {
    std::vector<Range> dropped;
    const auto fits = [&] {
        return live() + count <= options.maxsize && (options.max_bytes == 0 || bytes() + weighs <= options.max_bytes);
    };
    for (const Where where : {Where::kReady, Where::kDelayed}) {
        for (std::size_t at = 0; at < messages.size() && !fits(); ++at) {
            if (messages[at].where != where) continue;
            messages[at].where = Where::kGone;
            ++counters.dropped;
            dropped.push_back(Range{Offset(at), 1});
        }
    }
    return in_order(std::move(dropped));
}

void ReferenceQueue::stored(std::uint64_t batch, Range range, std::uint64_t bytes) {
    for (std::uint32_t i = 0; i < range.count; ++i) {
        Message& message = messages[range.first.value() + i];
        message.batch = batch;
        message.index = i;
        message.bytes = cost(range.count, bytes, i);
    }
}

}  // namespace telpher::queue
