// What leaves a data directory and makes one: telpherd export and import.
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <system_error>

#include "broker/exporter.h"
#include "broker/importer.h"
#include "broker/log/dir_lock.h"
#include "broker/offline.h"
#include "broker/output_file.h"
#include "proto/base/clock.h"
#include "proto/limits.h"

namespace telpher::broker {
namespace {

namespace fs = std::filesystem;

bool is_pipe(const std::string& file) { return file.empty() || file == "-"; }

void tell(const char* did, std::uint64_t messages, std::uint64_t queues) {
    std::fprintf(stderr, "telpherd: %s %ju messages of %ju queues\n", did, static_cast<std::uintmax_t>(messages),
                 static_cast<std::uintmax_t>(queues));
}

Result<ExportSummary> export_to(const OfflineOptions& options, std::ostream& out) {
    auto summary = export_log(log::posix_file_system(), shard_dir(options), options.queues, system_clock(), out);
    if (summary && !out.flush()) return fail(Code::kIo, "cannot write the export");
    return summary;
}

Result<ExportSummary> export_to_file(const OfflineOptions& options) {
    auto file = OutputFile::create(options.file);
    if (!file) return fail(file.error());
    auto summary = export_to(options, file->stream());
    if (!summary) return summary;
    if (auto done = file->commit(); !done) return fail(done.error());
    return summary;
}

/// A data directory in the making. What an import that was killed left in it counts as nothing.
class NewDataDir {
public:
    explicit NewDataDir(std::string dir) : dir_(std::move(dir)) {}
    NewDataDir(const NewDataDir&) = delete;
    NewDataDir& operator=(const NewDataDir&) = delete;
    /// Not committed: it is as it was before.
    ~NewDataDir() {
        std::error_code ignored;
        if (committed_) return;
        if (clear_) fs::remove_all(unfinished(), ignored);
        if (!had_lock_) fs::remove(dir_ + "/lock", ignored);
        if (made_) fs::remove(dir_, ignored);
    }

    /// Takes its lock. Errors: kUsage (there is something in it), kLocked, kIo.
    Result<void> begin() {
        std::error_code error;
        made_ = !fs::exists(dir_, error);
        if (auto made = log::posix_file_system().make_dir(dir_); !made)
            return fail(Code::kIo, "cannot make " + dir_ + ": " + made.error().detail());
        had_lock_ = fs::exists(dir_ + "/lock", error);
        auto lock = log::DirLock::take(dir_);
        if (!lock) return fail(lock.error());
        lock_.emplace(std::move(*lock));
        for (fs::directory_iterator entry(dir_, error); !error && entry != fs::directory_iterator();
             entry.increment(error)) {
            const std::string name = entry->path().filename();
            if (name != "lock" && name != kUnfinished && name != "lost+found") {
                return fail(Code::kUsage, dir_ + " is not empty: an import makes a data directory, it adds to none");
            }
        }
        if (error) return fail(Code::kIo, "cannot read " + dir_ + ": " + error.message());
        clear_ = true;
        fs::remove_all(unfinished(), error);
        return error ? fail(Code::kIo, "cannot remove " + unfinished() + ": " + error.message()) : Result<void>();
    }
    [[nodiscard]] std::string unfinished() const { return dir_ + "/" + kUnfinished; }
    /// The log that lies in unfinished(), synced, is the one of this directory.
    Result<void> commit(const std::string& shard_dir) {
        log::FileSystem& files = log::posix_file_system();
        if (auto done = files.rename(unfinished(), shard_dir); !done) return done;
        committed_ = true;
        if (auto done = files.sync_dir(dir_); !done) return done;
        const fs::path above = fs::absolute(dir_).lexically_normal().parent_path();
        return files.sync_dir(above.string());
    }

private:
    static constexpr const char* kUnfinished = "import.unfinished";

    const std::string dir_;
    std::optional<log::DirLock> lock_;
    bool made_ = false;
    bool had_lock_ = true;
    bool clear_ = false;  ///< What is in it is ours, to be removed.
    bool committed_ = false;
};

Result<ImportSummary> import_from(const OfflineOptions& options, std::istream& in) {
    NewDataDir dir(options.data_dir);
    if (auto done = dir.begin(); !done) return fail(done.error());
    log::LogOptions log;
    log.dir = dir.unfinished();
    log.segment_bytes = limits::kSegmentBytes;
    auto summary = import_log(log::posix_file_system(), log, in);
    if (!summary) return summary;
    if (auto done = dir.commit(shard_dir(options)); !done) return fail(done.error());
    return summary;
}

}  // namespace

int export_data(const OfflineOptions& options) {
    const auto lock = take_log(options);
    if (!lock) return report(lock.error());
    const auto summary = is_pipe(options.file) ? export_to(options, std::cout) : export_to_file(options);
    if (!summary) return report(summary.error());
    if (!summary->torn.empty()) {
        std::fprintf(stderr, "telpherd: never confirmed, and passed by: %s\n", summary->torn.c_str());
    }
    tell("exported", summary->messages, summary->queues);
    return 0;
}

int import_data(const OfflineOptions& options) {
    std::ifstream file;
    if (!is_pipe(options.file)) {
        errno = 0;
        file.open(options.file, std::ios::binary);
        if (!file) {
            return report(Error(Code::kIo, "open " + options.file + ": " + std::generic_category().message(errno)));
        }
    }
    const auto summary = import_from(options, is_pipe(options.file) ? std::cin : file);
    if (!summary) return report(summary.error());
    tell("imported", summary->messages, summary->queues);
    return 0;
}

}  // namespace telpher::broker
