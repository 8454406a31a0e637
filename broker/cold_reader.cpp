#include "broker/cold_reader.h"

namespace telpher::broker {

ColdReader::ColdReader(log::Reader& reader, std::function<void()> wake, unsigned threads)
    : reader_(reader), wake_(std::move(wake)) {
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

ColdReader::~ColdReader() {
    for (std::size_t i = 0; i < threads_.size(); ++i) requests_.enqueue({BatchRef(), true});
    for (std::thread& thread : threads_) thread.join();
}

void ColdReader::request(BatchRef batch) { requests_.enqueue({batch, false}); }

std::optional<BodyLoader::Loaded> ColdReader::next_loaded() {
    Loaded loaded{BatchRef(), log::StoredRecord()};
    if (!loaded_.try_dequeue(loaded)) return std::nullopt;
    return loaded;
}

void ColdReader::run() {
    for (;;) {
        Request request;
        requests_.wait_dequeue(request);
        if (request.stop) return;
        loaded_.enqueue({request.batch, reader_.read(*position_of(request.batch))});
        wake_();
    }
}

}  // namespace telpher::broker
