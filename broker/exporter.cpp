#include "broker/exporter.h"

#include <algorithm>
#include <ostream>
#include <set>

#include "broker/export_format.h"
#include "broker/resting_log.h"
#include "proto/base/running_hash.h"
#include "proto/version.h"

namespace telpher::broker {
namespace {

/// Writes lines and sums them up.
class LineWriter {
public:
    explicit LineWriter(std::ostream& out) : out_(out) {}

    Result<void> write(const ExportLine& line) {
        const std::string text = format_line(line) + '\n';
        sum_.add(as_bytes(text));
        out_ << text;
        return out_ ? Result<void>() : fail(Code::kIo, "cannot write the export");
    }
    [[nodiscard]] std::uint64_t sum() const { return sum_.value(); }

private:
    std::ostream& out_;
    RunningHash sum_;
};

ExportedQueue describe(const HostedQueue& queue) {
    ExportedQueue line;
    line.name = queue.name;
    line.options = queue.queue.options();
    line.owner = queue.owner;
    line.generation = queue.generation;
    line.sealed = queue.queue.sealed();
    line.paused = queue.queue.paused();
    line.next = queue.queue.next_offset();
    line.counters = queue.queue.counters();
    line.counters.lost = queue.lost;
    for (const auto& [name, id] : queue.producer_names) {
        const Producer& producer = queue.producers.at(id);
        line.producers.push_back({id, name, producer.stored_below, producer.last_put, producer.user});
    }
    return line;
}

/// A record as its parts; as it is if it has none that could be read.
void set_record(Bytes bytes, ExportedMessage& message) {
    const auto record = batch::decode_record(bytes);
    message.record.reset();
    message.key.reset();
    message.headers.clear();
    message.payload.clear();
    if (!record) {
        message.record = std::string(as_text(bytes));
        return;
    }
    if (record->has_key) message.key = std::string(as_text(record->key));
    for (const auto& [name, value] : record->headers)
        message.headers.emplace_back(std::string(name), std::string(as_text(value)));
    message.payload = std::string(as_text(record->payload));
}

/// A time that somebody gave, who may have been wrong.
WallTime sensible(WallTime at) { return std::clamp(at, WallTime{0}, kExportWallMax); }

bool known(queue::Cause cause) { return cause >= queue::Cause::kVerdict && cause <= queue::Cause::kLease; }

ExportedMessage standing_of(const HostedQueue& queue, const RestingLog& log, const RestingLog::Run& run) {
    const queue::Queue::LiveRun& standing = run.stretch.standing;
    ExportedMessage message;
    message.queue = queue.name;
    message.put = sensible(run.batch.header().put_time);
    message.tries = standing.tries;
    if (standing.state == queue::Queue::Peeked::kDelayed)
        message.due = std::max(sensible(log.wall(standing.due)), WallTime{1});
    message.dead = standing.state == queue::Queue::Peeked::kDead;
    if (message.dead && standing.note && known(standing.note->cause)) {
        message.death = *standing.note;
        message.death->at = sensible(message.death->at);
    }
    return message;
}

Result<void> write_run(const HostedQueue& queue, const RestingLog& log, const RestingLog::Run& run, LineWriter& lines) {
    if (run.batch.header().attribute_bytes > 0) return fail(Code::kFormat, "a batch with columns");
    const queue::StoredBatch& stored = run.stretch.stored.batch;
    const auto count = static_cast<std::uint32_t>(stored.range.count);
    const Slice lengths = run.batch.lengths(stored.index, count);
    const Slice records = run.batch.records(stored.index, count);
    ExportedMessage message = standing_of(queue, log, run);
    std::size_t at = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto bytes = load_le<std::uint32_t>(lengths.data() + i * sizeof(std::uint32_t));
        message.id = stored.range.first + i;
        set_record(records.bytes().subspan(at, bytes), message);
        at += bytes;
        if (auto written = lines.write(message); !written) return written;
    }
    return {};
}

/// The queues of these names; all if there are none.
Result<std::vector<const HostedQueue*>> choose(const Catalog& catalog, const std::vector<std::string>& names) {
    std::vector<const HostedQueue*> chosen;
    const std::set<std::string, std::less<>> wanted(names.begin(), names.end());
    for (const std::string& name : wanted) {
        if (!catalog.by_name().contains(name)) return fail(Code::kNotFound, "queue " + name);
    }
    for (const auto& [name, queue] : catalog.by_name()) {
        if (wanted.empty() || wanted.contains(name)) chosen.push_back(queue);
    }
    return chosen;
}

}  // namespace

Result<ExportSummary> export_log(log::FileSystem& files, const std::string& dir, const std::vector<std::string>& names,
                                 const Clock& clock, std::ostream& out) {
    const auto log = RestingLog::open(files, dir, clock);
    if (!log) return fail(log.error());
    if (auto sound = (*log)->verify_all(); !sound) return fail(sound.error());
    const auto chosen = choose((*log)->catalog(), names);
    if (!chosen) return fail(chosen.error());
    LineWriter lines(out);
    ExportSummary summary;
    summary.torn = (*log)->torn();
    summary.queues = chosen->size();
    const ExportHead head{kExportFormat, std::string(kVersion), (*log)->boot(), clock.wall()};
    if (auto done = lines.write(head); !done) return fail(done.error());
    for (const HostedQueue* queue : *chosen) {
        if (auto done = lines.write(describe(*queue)); !done) return fail(done.error());
    }
    for (const HostedQueue* queue : *chosen) {
        const auto done = (*log)->each(*queue, [&](const RestingLog::Run& run) {
            summary.messages += run.stretch.stored.messages;
            return write_run(*queue, **log, run, lines);
        });
        if (!done) return fail(done.error());
    }
    if (auto done = lines.write(ExportEnd{summary.queues, summary.messages, lines.sum()}); !done)
        return fail(done.error());
    return summary;
}

}  // namespace telpher::broker
