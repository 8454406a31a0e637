// Reads bodies back from the log on threads of its own, so that the shard never waits for a disk. The queues between
// them are lock-free; a read's result wakes the shard. Made and used by the shard thread; joins its threads when it
// goes.
#pragma once

#include <concurrentqueue/blockingconcurrentqueue.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "broker/body_loader.h"

namespace telpher::broker {

class ColdReader final : public BodyLoader {
public:
    /// `wake` is called by a reader thread after each result.
    ColdReader(log::Reader& reader, std::function<void()> wake, unsigned threads = 1);
    ~ColdReader() override;
    ColdReader(const ColdReader&) = delete;
    ColdReader& operator=(const ColdReader&) = delete;

    void request(BatchRef batch) override;
    std::optional<Loaded> next_loaded() override;

private:
    struct Request {
        BatchRef batch;
        bool stop = false;
    };
    void run();

    log::Reader& reader_;
    const std::function<void()> wake_;
    moodycamel::BlockingConcurrentQueue<Request> requests_;
    moodycamel::ConcurrentQueue<Loaded> loaded_;
    std::vector<std::thread> threads_;
};

}  // namespace telpher::broker
