// The input damages the files of a log that was written in order: bytes, stretches, whole files. fsck and dump judge it
// and change nothing; a start refuses it, or replays records that were written, from the first one on, none left out
// and none altered; and where the mark is whole, all that was committed.
#include <map>
#include <sstream>

#include "broker/log/dump.h"
#include "broker/log/fsck.h"
#include "broker/log/log.h"
#include "broker/log/mark.h"
#include "broker/log/segment.h"
#include "proto/base/check.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/faulty_file_system.h"

namespace telpher::fuzz {
namespace {

using Files = test::FaultyFileSystem;

const std::string kDir = "log";
constexpr std::uint64_t kSegmentBytes = 16 * 1024;
constexpr std::size_t kDamagesMax = 16;

/// A log with three segments, and every record in it by lsn.
struct Written {
    Written();
    Files files;
    std::vector<std::string> names;
    std::map<Lsn, std::string> records;
};

std::string text_of(const log::RecordView& view) {
    return std::to_string(static_cast<int>(view.kind)) + ' ' + std::to_string(view.queue.value()) + ' ' +
           std::string(as_text(view.meta)) + ' ' + std::string(as_text(view.body));
}

log::LogOptions options() {
    log::LogOptions options;
    options.dir = kDir;
    options.segment_bytes = kSegmentBytes;
    options.salt_seed = 1;
    return options;
}

void commit(log::Log& log) {
    TELPHER_CHECK(log.flush());
    while (log.committer().do_work() > 0) continue;
}

/// As a shard does it: some groups of records, a new segment when one is full.
Written::Written() {
    const auto nothing = [](const log::RecordView&) { return Result<void>(); };
    auto log = std::move(*log::Log::open(files, options(), nothing));
    for (std::uint64_t i = 0; i < 60; ++i) {
        log::Record record{log::Kind::kBatch, QueueId(1 + i % 3), "meta " + std::to_string(i),
                           Slice::own(std::string(300 + i * 5 % 400, static_cast<char>('a' + i % 26)))};
        if (log->needs_roll(record.meta.size(), record.body.size())) {
            log->roll({{log::Kind::kSnapshot, QueueId(0), "state " + std::to_string(i), Slice()}});
        }
        (void)log->append(std::move(record));
        if (i % 4 == 0) commit(*log);
    }
    commit(*log);
    log.reset();
    names = *files.list(kDir);
    TELPHER_CHECK(log::Log::open(files, options(), [&](const log::RecordView& view) {
        records[view.lsn] = text_of(view);
        return Result<void>();
    }));
    TELPHER_CHECK(records.size() > 60);
}

/// What the input did to a copy of the files.
struct Damaged {
    Files files;
    bool mark_whole = true;
};

void change_bytes(Choices& choices, Damaged& damaged, const std::string& path, std::uint64_t at) {
    const std::vector<std::byte> old = damaged.files.contents(path);
    std::vector<std::byte> bytes;
    const std::uint8_t what = choices.below(4);
    const std::uint64_t count = std::min<std::uint64_t>(what == 0 ? 1 : 8 * (1 + choices.byte()), old.size() - at);
    const std::uint64_t from = what == 2 ? choices.number() * 8 % old.size() : at;
    const std::uint8_t mask = choices.byte();
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::byte was = old[(from + i) % old.size()];
        bytes.push_back(what == 2 ? was : what == 1 ? std::byte{0} : was ^ std::byte{mask});
    }
    damaged.files.overwrite(path, at, bytes);
}

void damage(Choices& choices, const Written& written, Damaged& damaged) {
    const std::string& name = written.names[choices.byte() % written.names.size()];
    const std::string path = log::join_path(kDir, name);
    const auto there = *damaged.files.list(kDir);
    if (std::find(there.begin(), there.end(), name) == there.end()) return;
    if (name == log::kMarkName) damaged.mark_whole = false;
    const std::uint64_t size = damaged.files.contents(path).size();
    const std::uint8_t what = choices.below(16);
    if (what == 0) return damaged.files.lose(path);
    if (size == 0) return;
    // Most of a segment is its header block and zeros behind the last record: what is in between is worth more.
    const std::uint64_t position = std::uint64_t{choices.byte()} << 8U | choices.byte();
    change_bytes(choices, damaged, path, (name == log::kMarkName ? position % 1024 : position) % size);
}

std::map<std::string, std::vector<std::byte>> contents(const Files& files) {
    std::map<std::string, std::vector<std::byte>> all;
    const auto names = files.list(kDir);
    for (const std::string& name : *names) all[name] = files.contents(log::join_path(kDir, name));
    return all;
}

/// The judgement of fsck and dump, which change nothing.
Result<log::FsckResult> look(Files& files) {
    const auto before = contents(files);
    std::ostringstream out;
    const auto judged = log::fsck(files, kDir, out);
    const auto dumped = log::dump(files, kDir, {}, out);
    TELPHER_CHECK(judged.has_value() || !judged.error().message().empty());
    TELPHER_CHECK(dumped.has_value() == judged.has_value() || !dumped);
    TELPHER_CHECK(contents(files) == before);
    return judged;
}

std::vector<std::string> replay(const Written& written, Files& files, Result<void>& opened) {
    std::vector<std::string> replayed;
    Lsn last;
    const auto log = log::Log::open(files, options(), [&](const log::RecordView& view) {
        const auto original = written.records.find(view.lsn);
        TELPHER_CHECK(original != written.records.end() && original->second == text_of(view));
        TELPHER_CHECK(replayed.empty() || view.lsn.value() == last.value() + 1);
        last = view.lsn;
        replayed.push_back(text_of(view));
        return Result<void>();
    });
    opened = log ? Result<void>() : fail(log.error());
    return replayed;
}

void check_replay(const Written& written, Damaged& damaged) {
    const auto judged = look(damaged.files);
    const auto before = contents(damaged.files);
    Result<void> opened;
    const auto replayed = replay(written, damaged.files, opened);
    if (!opened) {
        const Code code = opened.error().code();
        TELPHER_CHECK(code == Code::kCorrupt || code == Code::kFormat || code == Code::kIo);
        if (code == Code::kCorrupt || code == Code::kFormat) TELPHER_CHECK(contents(damaged.files) == before);
        return;
    }
    TELPHER_CHECK(!judged || *judged != log::FsckResult::kDamaged);
    if (damaged.mark_whole) TELPHER_CHECK(replayed.size() == written.records.size());
    Result<void> again;
    TELPHER_CHECK(replay(written, damaged.files, again) == replayed && again);
}

}  // namespace

std::vector<std::string> seeds() {
    using namespace std::string_literals;
    return {"\0\1\x10\x20\0\1"s, "\1\1\x10\x20\1\4\0"s, "\2\1\x12\0\2\x20\x90\0"s, "\3\0"s, "\3\1\0\x30\0\x55"s,
            "\2\0\1\0"s};
}

}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace telpher::fuzz;
    static const Written kWritten;
    Choices choices(data, size);
    Damaged damaged;
    kWritten.files.copy_to(damaged.files);
    for (std::size_t i = 0; i < kDamagesMax && !choices.empty(); ++i) damage(choices, kWritten, damaged);
    check_replay(kWritten, damaged);
    return 0;
}
