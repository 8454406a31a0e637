#include "broker/importer.h"

#include <istream>
#include <memory>
#include <optional>

#include "broker/batch_store.h"
#include "broker/export_format.h"
#include "broker/imported_batch.h"
#include "broker/journal.h"
#include "broker/line_reader.h"
#include "broker/log/records.pb.h"
#include "broker/log/repair.h"
#include "broker/queue_options.h"
#include "broker/resting_log.h"
#include "broker/snapshot.h"

namespace telpher::broker {
namespace {

/// Handed to the commit thread's code at once, about.
constexpr std::uint64_t kFlushBytes = 4 * limits::kMiB;
/// What a batch appends beside its body: ranges, and reasons of dead letters.
constexpr std::size_t kMetaBytes = 512 * limits::kKiB;

Result<void> wrong(const std::string& what) { return fail(Code::kCorrupt, what); }

/// Takes lines in their order and writes what they say.
class Importer {
public:
    explicit Importer(log::Log& log) : log_(log), journal_(log, kMetaBytes) {
        journal_.on_snapshot([this] { return make_snapshot(catalog_, boot_); });
    }

    Result<void> take(const ExportLine& line, std::uint64_t sum_before) {
        if (ended_) return wrong("a line behind the last");
        if (!std::holds_alternative<ExportHead>(line) && !begun_) return wrong("not the first line of an export");
        if (const auto* head = std::get_if<ExportHead>(&line)) return take(*head);
        if (const auto* queue = std::get_if<ExportedQueue>(&line)) return take(*queue);
        if (const auto* message = std::get_if<ExportedMessage>(&line)) return take(*message);
        return take(std::get<ExportEnd>(line), sum_before);
    }
    /// Nothing follows: writes the end mark.
    Result<ImportSummary> finish() {
        if (!ended_) return fail(Code::kCorrupt, "the export is cut: its last line is missing");
        journal_.reserve(0);
        journal_.end();
        if (auto done = commit(); !done) return fail(done.error());
        return ImportSummary{catalog_.size(), messages_};
    }

private:
    Result<void> take(const ExportHead& head) {
        if (std::exchange(begun_, true)) return wrong("a second first line");
        boot_ = head.boot;
        return {};
    }

    Result<void> take(const ExportedQueue& line) {
        if (messages_ > 0 || batch_) return wrong("a queue behind messages");
        if (catalog_.find(line.name) != nullptr) return wrong("queue " + line.name + " comes twice");
        if (catalog_.size() == limits::kQueuesMax) return wrong("too many queues");
        log::v1::QueueOptions options;
        encode_options(line.options, options);
        if (!decode_options(options)) return wrong("the options of queue " + line.name);
        HostedQueue& queue = catalog_.create(line.name, line.options);
        catalog_.give(queue, line.owner);
        queue.generation = line.generation;
        queue.lost = line.counters.lost;
        queue.queue.restore(line.next.value(), line.sealed, line.paused, line.counters);
        for (const ExportedProducer& producer : line.producers) {
            if (auto done = add(queue, producer); !done) return done;
        }
        return {};
    }

    static Result<void> add(HostedQueue& queue, const ExportedProducer& line) {
        if (queue.producers.contains(line.id) || queue.producer_names.contains(line.name))
            return wrong("a producer of queue " + queue.name + " comes twice");
        Producer& producer = queue.producers[line.id];
        producer.id = line.id;
        producer.begin_named(line.name, line.stored_below);
        producer.known = true;
        producer.last_put = line.last_put;
        producer.user = line.user;
        queue.producer_names[line.name] = line.id;
        return {};
    }

    Result<void> take(const ExportedMessage& line) {
        if (queue_ == nullptr || queue_->name != line.queue) {
            if (auto done = write(); !done) return done;
            queue_ = catalog_.find(line.queue);
            if (queue_ == nullptr) return wrong("a message of queue " + line.queue + ", which is not there");
            if (!queue_->durable()) return wrong("a message of queue " + line.queue + ", which is in memory only");
        }
        Offset& lowest = lowest_[queue_->id];
        if (line.id < lowest || line.id >= queue_->queue.next_offset()) return wrong("\"id\" is out of its place");
        lowest = line.id + 1;
        ++messages_;
        if (batch_ && batch_->add(line)) return {};
        if (auto done = write(); !done) return done;
        batch_.emplace(line);
        return {};
    }

    Result<void> take(const ExportEnd& line, std::uint64_t sum_before) {
        if (auto done = write(); !done) return done;
        if (line.queues != catalog_.size() || line.messages != messages_)
            return wrong("the last line tells of " + std::to_string(line.queues) + " queues and " +
                         std::to_string(line.messages) + " messages, there were " + std::to_string(catalog_.size()) +
                         " and " + std::to_string(messages_));
        if (line.checksum && *line.checksum != sum_before) return wrong("the export does not match its checksum");
        ended_ = true;
        return {};
    }

    /// The batch goes into the log.
    Result<void> write() {
        if (!batch_) return {};
        const auto stretches = batch_->stretches();
        const Slice body = batch_->seal();
        batch_.reset();
        journal_.reserve(body.size());
        const auto wall_ms = [](Instant at) { return static_cast<std::uint64_t>(ImportedBatch::wall(at).ms); };
        const log::Appended appended = journal_.moved(queue_->id, stretches, body, wall_ms);
        log::Live live;
        for (const auto& stretch : stretches) {
            live.messages += stretch.stored.messages;
            live.bytes += stretch.stored.bytes;
        }
        log_.add_live(appended.position.segment, live);
        return log_.uncommitted_bytes() < kFlushBytes ? Result<void>() : commit();
    }

    Result<void> commit() {
        while (log_.committed_lsn() != log_.last_lsn()) {
            journal_.flush();
            if (log_.committer().do_work() > 0) continue;
            if (auto failed = log_.failed()) return fail(*failed);
            if (log_.waits_for_room()) return fail(Code::kDiskFull, "no room for the log");
        }
        return {};
    }

    log::Log& log_;
    Journal journal_;
    Catalog catalog_;
    std::uint64_t boot_ = 0;
    bool begun_ = false;
    bool ended_ = false;
    std::uint64_t messages_ = 0;
    HostedQueue* queue_ = nullptr;        ///< Whose messages come ...
    std::optional<ImportedBatch> batch_;  ///< ... and those that are not written yet.
    std::map<QueueId, Offset> lowest_;    ///< The lowest id that may come next.
};

Result<ImportSummary> read_lines(std::istream& in, Importer& importer) {
    LineReader lines(in);
    const auto at = [&lines](const Error& error) {
        return fail(error.code(), "line " + std::to_string(lines.number()) + ": " + error.detail());
    };
    for (;;) {
        const auto more = lines.next();
        if (!more) return at(more.error());
        if (in.bad()) return fail(Code::kIo, "cannot read the export");
        if (!*more) break;
        const auto line = parse_line(lines.line());
        if (!line) return at(line.error());
        if (auto taken = importer.take(*line, lines.sum_before()); !taken) return at(taken.error());
    }
    return importer.finish();
}

/// What was written is what a start will find.
Result<void> prove(log::FileSystem& files, const std::string& dir, const Clock& clock, const ImportSummary& summary) {
    const auto log = RestingLog::open(files, dir, clock);
    if (!log) return fail(log.error());
    if (auto sound = (*log)->verify_all(); !sound) return fail(sound.error());
    std::uint64_t messages = 0;
    for (const auto& [name, queue] : (*log)->catalog().by_name())
        messages += queue->queue.ready() + queue->queue.delayed() + queue->queue.dead();
    if (messages == summary.messages && (*log)->catalog().size() == summary.queues && (*log)->torn().empty()) return {};
    return fail(Code::kInternal, "the log does not hold what was imported");
}

}  // namespace

Result<ImportSummary> import_log(log::FileSystem& files, const log::LogOptions& options, std::istream& in) {
    auto log = log::Log::open(files, options,
                              [](const log::RecordView&) { return fail(Code::kBusy, "there is a log already"); });
    if (!log) return fail(log.error());
    Importer importer(**log);
    const auto summary = read_lines(in, importer);
    if (!summary) return summary;
    log->reset();
    if (auto done = log::sync_found(files, options.dir); !done) return fail(done.error());
    if (auto done = files.sync_dir(options.dir); !done) return fail(done.error());
    if (auto done = prove(files, options.dir, *options.clock, *summary); !done) return fail(done.error());
    return summary;
}

}  // namespace telpher::broker
