#include "consumer/settle_batcher.h"

#include <algorithm>

#include "proto/base/check.h"

namespace telpher::consumer {

namespace {

bool joins(const frame::Run& run, std::uint64_t offset, std::uint64_t delivery) {
    return run.first + run.count == offset && run.value == delivery;
}

/// The parts of `run` outside of `cut` go to `kept`, those inside to `gone`.
void split(const frame::Run& run, std::span<const frame::Run> cut, std::vector<frame::Run>& kept,
           std::vector<frame::Run>& gone) {
    std::uint64_t at = run.first;
    const std::uint64_t end = run.first + run.count;
    auto next = std::upper_bound(cut.begin(), cut.end(), at,
                                 [](std::uint64_t offset, const frame::Run& c) { return offset < c.first + c.count; });
    for (; next != cut.end() && next->first < end; ++next) {
        if (next->first > at) kept.push_back({at, next->first - at, run.value});
        at = std::max(at, next->first);
        const std::uint64_t until = std::min(end, next->first + next->count);
        gone.push_back({at, until - at, run.value});
        at = until;
    }
    if (at < end) kept.push_back({at, end - at, run.value});
}

}  // namespace

void SettleBatcher::add(const Decision& decision, std::uint64_t offset, std::uint64_t delivery, std::uint64_t count) {
    if (last_ == nullptr || last_decision_ != decision) {
        last_ = &open_[decision];
        last_decision_ = decision;
    }
    std::vector<frame::Run>& runs = last_->runs;
    if (!runs.empty()) {
        frame::Run& back = runs.back();
        if (joins(back, offset, delivery)) {
            back.count += count;
            return;
        }
        if (offset < back.first + back.count) last_->rising = false;
    }
    runs.push_back({offset, count, delivery});
    ++open_runs_;
}

bool SettleBatcher::due(bool idle) const {
    if (open_empty()) return false;
    return frames_.empty() || open_runs_ >= kRunsLarge || (idle && frames_.size() < kInFlightMax);
}

void SettleBatcher::close() {
    if (open_empty()) return;
    for (auto& [decision, group] : open_) close_group(decision, group);
    open_.clear();
    last_ = nullptr;
    open_runs_ = 0;
    ++open_round_;
}

// The same offset can be in a group twice, with two deliveries (released, delivered again, released): the second goes
// into a frame of its own, as the runs of one frame must not overlap.
void SettleBatcher::close_group(const Decision& decision, Group& group) {
    std::vector<frame::Run> runs = std::move(group.runs);
    if (!group.rising)
        std::sort(runs.begin(), runs.end(), [](const frame::Run& a, const frame::Run& b) {
            return a.first != b.first ? a.first < b.first : a.value < b.value;
        });
    std::vector<frame::Run> later;
    while (!runs.empty()) {
        SettleFrame frame{open_round_, decision, {}};
        for (const frame::Run& run : runs) {
            frame::Run* const back = frame.runs.empty() ? nullptr : &frame.runs.back();
            if (back != nullptr && run.first < back->first + back->count) {
                later.push_back(run);
            } else if (back != nullptr && joins(*back, run.first, run.value)) {
                back->count += run.count;
            } else if (frame.runs.size() < limits::kSettleRangesMax) {
                frame.runs.push_back(run);
            } else {
                later.push_back(run);
            }
        }
        frames_.push_back(std::move(frame));
        runs.swap(later);
        later.clear();
    }
}

const SettleFrame* SettleBatcher::next_to_send(std::uint64_t& number) {
    if (sent_ == frames_.size()) return nullptr;
    number = confirmed_ + ++sent_;
    return &frames_[sent_ - 1];
}

bool SettleBatcher::confirm(std::uint64_t number) {
    if (number < confirmed_ || number > confirmed_ + sent_) return false;
    for (; confirmed_ < number; ++confirmed_, --sent_) frames_.pop_front();
    return true;
}

const SettleFrame* SettleBatcher::on_its_way(std::uint64_t number) const {
    if (number <= confirmed_ || number > confirmed_ + sent_) return nullptr;
    return &frames_[static_cast<std::size_t>(number - confirmed_ - 1)];
}

void SettleBatcher::restart() {
    sent_ = 0;
    confirmed_ = 0;
}

std::vector<frame::Run> SettleBatcher::lose(std::span<const frame::Run> lost) {
    TELPHER_CHECK(sent_ == 0);
    std::vector<frame::Run> acks;
    std::vector<frame::Run> kept;
    std::vector<frame::Run> gone;
    const auto cut = [&](const Decision& decision, std::uint64_t round, std::vector<frame::Run>& runs) {
        kept.clear();
        gone.clear();
        for (const frame::Run& run : runs) split(run, lost, kept, gone);
        runs = kept;
        if (decision.verdict != v1::Settle::VERDICT_ACK) return;
        for (const frame::Run& run : gone) acks.push_back({run.first, run.count, round});
    };
    open_runs_ = 0;
    for (auto& [decision, group] : open_) {
        cut(decision, open_round_, group.runs);
        open_runs_ += group.runs.size();
    }
    for (SettleFrame& frame : frames_) cut(frame.decision, frame.round, frame.runs);
    std::erase_if(frames_, [](const SettleFrame& frame) { return frame.runs.empty(); });
    return acks;
}

std::uint64_t SettleBatcher::done_below() const { return frames_.empty() ? open_round_ : frames_.front().round; }

}  // namespace telpher::consumer
