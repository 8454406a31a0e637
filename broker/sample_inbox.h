// The way of a request for a sample into the shard's thread and back. Any thread asks and waits, with a limit; the
// shard's thread takes no lock and never waits: an atomic list brings requests in, a semaphore tells that one is done.
// Who gave up leaves its request to the shard's thread, which lets go of it when it is through.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <semaphore>

#include "broker/sampler.h"

namespace telpher::broker {

struct SampleRequest {
    SampleJob job;
    bool whole = false;  ///< Written before `done`.
    std::binary_semaphore done{0};

    std::shared_ptr<SampleRequest> self;  ///< While the shard has it.
    SampleRequest* next = nullptr;        ///< In the inbox.
};

class SampleInbox {
public:
    ~SampleInbox() { close(); }

    // Any thread.
    /// kBusy: nobody serves, or kWaitingMax wait already; kTimeout. `wake` is called when the request lies there.
    Result<Sample> ask(SampleQuery query, Duration timeout, const std::function<void()>& wake);

    // The owner, before the shard's thread runs and after it has ended.
    void open() { open_ = true; }
    /// Whoever waits is told kBusy.
    void close();

    // The shard's thread.
    /// The request to go on with; nullptr: nobody asks.
    SampleRequest* front();
    /// It is whole.
    void finish_front() { finish(true); }

private:
    void finish(bool whole);

    std::atomic<bool> open_{false};
    std::atomic<int> waiting_{0};
    std::atomic<SampleRequest*> arrived_{nullptr};
    std::deque<std::shared_ptr<SampleRequest>> taken_;
};

}  // namespace telpher::broker
