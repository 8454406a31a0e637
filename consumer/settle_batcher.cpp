#include "consumer/settle_batcher.h"

#include <algorithm>

namespace telpher::consumer {

namespace {

bool joins(const frame::Run& run, std::uint64_t offset, std::uint64_t delivery) {
    return run.first + run.count == offset && run.value == delivery;
}

}  // namespace

Decision failed(std::string reason) {
    return {.verdict = v1::Settle::VERDICT_NACK, .backoff = true, .reason = std::move(reason)};
}

v1::Settle to_wire(const Decision& decision) {
    v1::Settle settle;
    settle.set_verdict(decision.verdict);
    settle.set_delay_ms(decision.delay_ms);
    settle.set_backoff(decision.backoff);
    settle.set_reason(decision.reason);
    return settle;
}

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

std::uint64_t SettleBatcher::done_below() const { return frames_.empty() ? open_round_ : frames_.front().round; }

}  // namespace telpher::consumer
