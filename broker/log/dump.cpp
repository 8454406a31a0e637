#include "broker/log/dump.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>

#include "broker/log/inspect.h"
#include "broker/log/meta_json.h"
#include "broker/log/record.h"
#include "proto/batch.h"

namespace telpher::log {
namespace {

using Json = nlohmann::ordered_json;

class Dumper {
public:
    Dumper(const DumpOptions& options, std::ostream& out) : options_(options), out_(out) {}

    Result<void> record(const RecordView& view) {
        if (view.kind == Kind::kSnapshot) return snapshot(view);
        if (view.kind == Kind::kQueue) learn_name(view);
        if (!wanted(view.queue)) return {};
        Json line = head(view);
        add_meta(line, view, meta_json(view.kind, view.meta));
        if (!view.body.empty()) line["body_bytes"] = view.body.size();
        if (view.kind == Kind::kBatch) {
            // The record's checksum already holds; the bytes outlive the view of them.
            const auto batch = batch::View::reopen(Slice(nullptr, view.body), false);
            if (batch) line["count"] = batch->count();
        }
        print(line);
        return {};
    }

    void finding(const Finding& finding) {
        constexpr std::array kActions{"truncate", "stop", "refuse"};
        print({{"finding", finding.text()}, {"action", kActions[static_cast<std::size_t>(finding.action())]}});
    }

private:
    [[nodiscard]] bool filtered() const { return options_.queue || options_.queue_name; }

    [[nodiscard]] bool wanted(QueueId queue) const {
        if (options_.queue && *options_.queue != queue) return false;
        if (!options_.queue_name) return true;
        const auto name = names_.find(queue);
        return name != names_.end() && name->second == *options_.queue_name;
    }

    void learn_name(const RecordView& view) {
        v1::QueueMeta meta;
        if (!meta.ParseFromArray(view.meta.data(), static_cast<int>(view.meta.size()))) return;
        if (!meta.name().empty()) names_[view.queue] = meta.name();
    }

    /// Of a snapshot only the wanted queues are printed.
    Result<void> snapshot(const RecordView& view) {
        v1::SnapshotMeta meta;
        const bool whole = meta.ParseFromArray(view.meta.data(), static_cast<int>(view.meta.size()));
        if (whole && filtered()) {
            v1::SnapshotMeta part = meta;
            part.clear_queues();
            for (const auto& queue : meta.queues()) {
                if (!queue.name().empty()) names_[QueueId(queue.queue())] = queue.name();
                if (wanted(QueueId(queue.queue()))) *part.add_queues() = queue;
            }
            if (part.queues().empty()) return {};
            meta.Swap(&part);
        } else if (whole) {
            for (const auto& queue : meta.queues()) {
                if (!queue.name().empty()) names_[QueueId(queue.queue())] = queue.name();
            }
        }
        Json line = head(view);
        add_meta(line, view, whole ? std::optional<Json>(snapshot_json(meta)) : std::nullopt);
        print(line);
        return {};
    }

    Json head(const RecordView& view) const {
        Json line{{"segment", view.position.segment.value()},
                  {"position", view.position.at},
                  {"lsn", view.lsn.value()},
                  {"epoch", view.epoch.value()},
                  {"kind", kind_name(view.kind)}};
        if (view.queue.value() != 0) {
            line["queue"] = view.queue.value();
            const auto name = names_.find(view.queue);
            if (name != names_.end()) line["queue_name"] = name->second;
        }
        return line;
    }

    static void add_meta(Json& line, const RecordView& view, std::optional<Json> meta) {
        if (meta) {
            line["meta"] = std::move(*meta);
        } else {
            line["meta_bytes"] = view.meta.size();  // not to be decoded
        }
    }

    void print(const Json& line) {
        // Names are bytes: what is not UTF-8 is shown as such, not refused.
        out_ << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
    }

    const DumpOptions& options_;
    std::ostream& out_;
    std::map<QueueId, std::string> names_;
};

}  // namespace

Result<void> dump(FileSystem& files, const std::string& dir, const DumpOptions& options, std::ostream& out) {
    const auto found = survey_log(files, dir);
    if (!found) return fail(found.error());
    Dumper dumper(options, out);
    const auto inspection =
        inspect(files, dir, *found, {.go_on = true}, [&dumper](const RecordView& view) { return dumper.record(view); });
    if (!inspection) return fail(inspection.error());
    for (const Finding& finding : inspection->findings) dumper.finding(finding);
    if (!out) return fail(Code::kIo, "cannot write the dump");
    return {};
}

}  // namespace telpher::log
