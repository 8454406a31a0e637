#include "broker/sample_inbox.h"

namespace telpher::broker {
namespace {

constexpr int kWaitingMax = 8;

}  // namespace

Result<Sample> SampleInbox::ask(SampleQuery query, Duration timeout, const std::function<void()>& wake) {
    if (!open_) return fail(Code::kBusy, "the broker is starting or stopping");
    if (waiting_.fetch_add(1) >= kWaitingMax) {
        waiting_.fetch_sub(1);
        return fail(Code::kBusy, "too many ask at once");
    }
    auto request = std::make_shared<SampleRequest>();
    request->job.query = std::move(query);
    request->self = request;
    request->next = arrived_.load(std::memory_order_relaxed);
    while (!arrived_.compare_exchange_weak(request->next, request.get(), std::memory_order_release,
                                           std::memory_order_relaxed)) {
    }
    wake();
    if (!request->done.try_acquire_for(timeout)) return fail(Code::kTimeout, "the shard did not answer");
    if (!request->whole) return fail(Code::kBusy, "the broker is stopping");
    return std::move(request->job.sample);
}

SampleRequest* SampleInbox::front() {
    if (taken_.empty() && arrived_.load(std::memory_order_relaxed) == nullptr) return nullptr;
    SampleRequest* next = arrived_.exchange(nullptr, std::memory_order_acquire);
    std::deque<std::shared_ptr<SampleRequest>> fresh;
    while (next != nullptr) {
        SampleRequest* const request = next;
        next = request->next;
        fresh.push_front(std::move(request->self));  // the list has the newest first
    }
    for (auto& request : fresh) taken_.push_back(std::move(request));
    return taken_.empty() ? nullptr : taken_.front().get();
}

void SampleInbox::finish(bool whole) {
    const std::shared_ptr<SampleRequest> request = std::move(taken_.front());
    taken_.pop_front();
    waiting_.fetch_sub(1);
    request->whole = whole;
    request->done.release();
}

void SampleInbox::close() {
    open_ = false;
    while (front() != nullptr) finish(false);
}

}  // namespace telpher::broker
