// The first byte is the kind of a log record, the rest its meta, as `telpherd dump` prints it: one line of valid JSON,
// the same every time.
#include "broker/log/meta_json.h"

#include "broker/log/records.pb.h"
#include "proto/base/check.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"

namespace telpher::fuzz {
namespace {

template <class Meta>
std::string sample(log::Kind kind, const Meta& meta) {
    return static_cast<char>(kind) + meta.SerializeAsString();
}

log::v1::SnapshotMeta snapshot() {
    log::v1::SnapshotMeta meta;
    meta.set_boot(1);
    meta.set_last(true);
    auto* queue = meta.add_queues();
    queue->set_name("jobs");
    queue->mutable_options()->set_on_full(1);
    queue->mutable_counters()->set_put(3);
    auto* producer = queue->add_producers();
    producer->set_name("p");
    producer->add_accepted()->set_count(3);
    return meta;
}

log::v1::DeathMeta death() {
    log::v1::DeathMeta meta;
    meta.add_ranges(1);
    meta.add_ranges(2);
    meta.add_deliveries(1);
    meta.add_attempts(1);
    meta.set_cause(1);
    meta.set_reason("\xff");
    return meta;
}

}  // namespace

std::vector<std::string> seeds() {
    using log::Kind;
    log::v1::BatchMeta batch;
    batch.set_first_offset(7);
    log::v1::SettleMeta settle;
    settle.add_ranges(0);
    settle.add_ranges(5);
    settle.set_reason(log::v1::SettleMeta::REASON_ACKED);
    log::v1::ReturnMeta returned;
    returned.add_ranges(1);
    returned.add_ranges(1);
    returned.add_deliveries(1);
    returned.add_attempts(0);
    returned.add_due_ms(9);
    log::v1::QueueMeta queue;
    queue.set_change(log::v1::QueueMeta::CHANGE_CREATED);
    queue.set_name("jobs");
    log::v1::ProducerMeta producer;
    producer.set_change(log::v1::ProducerMeta::CHANGE_OPENED);
    producer.set_producer(1);
    log::v1::MarkMeta mark;
    mark.add_marks()->set_queue(1);
    log::v1::BootMeta boot;
    boot.set_version("0.1.0");
    return {sample(Kind::kBatch, batch), sample(Kind::kSettle, settle),     sample(Kind::kReturn, returned),
            sample(Kind::kQueue, queue), sample(Kind::kProducer, producer), sample(Kind::kSnapshot, snapshot()),
            sample(Kind::kMark, mark),   sample(Kind::kBoot, boot),         sample(Kind::kDeath, death()),
            std::string(1, '\x09')};
}

}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace telpher;
    fuzz::Choices choices(data, size);
    const auto kind = static_cast<log::Kind>(choices.byte());
    const std::string meta = choices.rest();
    const auto json = log::meta_json(kind, as_bytes(meta));
    if (!json) return 0;
    const std::string line = json->dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    TELPHER_CHECK(line.find('\n') == std::string::npos && nlohmann::ordered_json::accept(line));
    TELPHER_CHECK(log::meta_json(kind, as_bytes(meta)) == json);
    return 0;
}
