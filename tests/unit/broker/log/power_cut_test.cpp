// Seeded power cuts, kills and restarts of a log on the faulty file system. What must hold after each: every committed
// record is there byte for byte and in order, nothing was invented, and what is there of the uncommitted rest is a
// prefix of it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <map>
#include <string>

#include "broker/log/log.h"
#include "proto/base/random.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/seed.h"

namespace telpher::log {
namespace {

using Files = test::FaultyFileSystem;

constexpr std::uint64_t kRuns = 400;
constexpr int kStepsPerRun = 150;

/// A shard as simple as can be: its "state" is the list of bodies that are not settled. A settle names the lsn of its
/// batch.
class Scenario {
public:
    explicit Scenario(std::uint64_t seed) : random_(seed) {}

    void run() {
        open();
        for (int step = 0; step < kStepsPerRun && !::testing::Test::HasFatalFailure(); ++step) {
            const std::uint64_t die = random_.below(100);
            if (die < 40) {
                put();
            } else if (die < 60) {
                settle();
            } else if (die < 75) {
                log_->flush();
            } else if (die < 92) {
                log_->committer().do_work();
            } else if (die < 96) {
                log_->reclaim();
            } else if (die < 97) {
                fault();
                if (log_->failed()) restart();
            } else {
                // Now and then again at once: what one start found must be durable for the next.
                do restart();
                while (!::testing::Test::HasFatalFailure() && random_.below(2) == 0);
            }
        }
        if (!::testing::Test::HasFatalFailure()) restart();
    }

private:
    struct Written {
        Kind kind;
        std::string meta;
        std::string body;
    };

    void restart() {
        const Lsn committed = log_->committed_lsn();
        log_.reset();
        if (random_.below(2) == 0) {
            files_.power_cut(random_.next());
        } else {
            files_.kill_process();
        }
        open();
        if (::testing::Test::HasFatalFailure()) return;
        ASSERT_GE(log_->last_lsn(), committed) << "committed records are missing";
    }

    void open() {
        LogOptions options;
        options.dir = "log";
        options.segment_bytes = 12 * 1024;
        options.spare_segments_max = random_.below(3);
        options.salt_seed = 1;  // the same in every life: salts must differ all the same
        replayed_next_ = Lsn(0);
        std::map<Lsn, SegmentId> live;
        auto log = Log::open(files_, options, [&](const RecordView& view) { return replay(view, live); });
        ASSERT_TRUE(log) << log.error().message();
        ASSERT_FALSE(::testing::Test::HasFatalFailure());
        log_ = std::move(*log);
        const Lsn last = log_->recovery().last;
        while (!written_.empty() && written_.rbegin()->first > last) written_.erase(std::prev(written_.end()));
        check_live(live, last);
        live_ = live;
        for (const auto& [lsn, segment] : live_) log_->add_live(segment, {1, 1});
    }

    Result<void> replay(const RecordView& view, std::map<Lsn, SegmentId>& live) {
        EXPECT_TRUE(replayed_next_.value() == 0 || view.lsn == replayed_next_) << view.lsn.value();
        replayed_next_ = view.lsn + 1;
        const auto written = written_.find(view.lsn);
        if (written == written_.end()) {
            ADD_FAILURE() << "lsn " << view.lsn.value() << " was never written";
            return fail(Code::kInternal);
        }
        EXPECT_EQ(view.kind, written->second.kind) << view.lsn.value();
        EXPECT_EQ(as_text(view.meta), written->second.meta) << view.lsn.value();
        EXPECT_EQ(as_text(view.body), written->second.body) << view.lsn.value();
        if (view.kind == Kind::kBatch) live[view.lsn] = view.position.segment;
        if (view.kind == Kind::kSettle) live.erase(Lsn(std::stoull(std::string(as_text(view.meta)))));
        return {};
    }

    /// No batch is gone unless a settle that is still there says so: a segment was not dropped too early.
    void check_live(const std::map<Lsn, SegmentId>& live, Lsn last) {
        std::map<Lsn, bool> expected;
        for (const auto& [lsn, record] : written_) {
            if (lsn > last) break;
            if (record.kind == Kind::kBatch) expected[lsn] = true;
            if (record.kind == Kind::kSettle) expected.erase(Lsn(std::stoull(record.meta)));
        }
        ASSERT_EQ(live.size(), expected.size());
        for (const auto& [lsn, segment] : live) ASSERT_TRUE(expected.contains(lsn)) << lsn.value();
    }

    Lsn append(Kind kind, std::string meta, std::string body) {
        if (log_->needs_roll(meta.size(), body.size())) roll();
        const Appended at = log_->append({kind, QueueId(1), meta, Slice::own(body)});
        written_[at.lsn] = {kind, std::move(meta), std::move(body)};
        if (kind == Kind::kBatch) {
            live_[at.lsn] = at.position.segment;
            log_->add_live(at.position.segment, {1, 1});
        }
        return at.lsn;
    }

    void roll() {
        std::vector<Record> records;
        for (std::uint64_t i = 0, count = 1 + random_.below(4); i < count; ++i) {
            std::string meta = text(random_.below(2) == 0 ? 16 : random_.below(1000));
            written_[log_->last_lsn() + 1 + i] = {Kind::kSnapshot, meta, ""};
            records.push_back({Kind::kSnapshot, QueueId(1), std::move(meta), Slice()});
        }
        log_->roll(std::move(records));
    }

    /// Half of all records have the same size, so that those of different lives of a file often lie in the same places.
    void put() {
        const bool usual = random_.below(2) == 0;
        append(Kind::kBatch, text(usual ? 16 : random_.below(40)), text(usual ? 200 : random_.below(3000)));
    }

    void settle() {
        if (live_.empty()) return;
        // Mostly the oldest, so that segments empty from the front.
        auto victim = live_.begin();
        if (random_.below(4) == 0) std::advance(victim, static_cast<std::ptrdiff_t>(random_.below(live_.size())));
        const auto [lsn, segment] = *victim;
        live_.erase(victim);
        append(Kind::kSettle, std::to_string(lsn.value()), "");
        log_->drop_live(segment, {1, 1});
    }

    /// A device that fails, or a process that dies, in the middle of the commit thread's work.
    void fault() {
        constexpr std::array kOps{Files::Op::kWrite,   Files::Op::kSync,   Files::Op::kRename,
                                  Files::Op::kSyncDir, Files::Op::kCreate, Files::Op::kAllocate};
        const Files::Op op = kOps[random_.below(kOps.size())];
        const std::uint64_t nth = 1 + random_.below(3);
        random_.below(2) == 0 ? files_.fail_nth(op, nth, Code::kIo) : files_.die_at_nth(op, nth);
        for (int i = 0; i < 8 && !log_->failed(); ++i) {
            for (std::uint64_t n = random_.below(5); n > 0; --n) put();
            log_->flush();
            log_->committer().do_work();
        }
        files_.clear_faults();
    }

    std::string text(std::uint64_t bytes) {
        std::string made(bytes, '\0');
        for (char& c : made) c = static_cast<char>(random_.next());
        return made;
    }

    Random random_;
    Files files_;
    std::unique_ptr<Log> log_;
    std::map<Lsn, Written> written_;  // everything appended in the history that holds
    std::map<Lsn, SegmentId> live_;
    Lsn replayed_next_;
};

TEST(PowerCutTest, CommittedRecordsSurvive) {
    const std::uint64_t base = test::test_seed();
    const bool repeated = std::getenv("TELPHER_SEED") != nullptr;
    for (std::uint64_t run = 0; run < (repeated ? 1 : kRuns); ++run) {
        SCOPED_TRACE("TELPHER_SEED=" + std::to_string(base + run));
        Scenario(base + run).run();
        if (HasFailure()) return;
    }
}

}  // namespace
}  // namespace telpher::log
