// The hand-over with a real commit thread: order, completeness, waking and stopping. Nothing here waits for time to
// pass.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/unit/broker/log/log_fixture.h"

namespace telpher::log {
namespace {

using Files = test::FaultyFileSystem;

class CommitterThreadTest : public LogFixture {
protected:
    void start() {
        log_->on_commit([this] {
            wakes_.fetch_add(1);
            wakes_.notify_all();
        });
        thread_ = std::thread([this, &committer = log_->committer()] {
            while (!stopping_.load()) {
                if (committer.do_work() == 0) committer.wait(-1);
            }
        });
    }
    void stop() {
        stopping_.store(true);
        log_->committer().stop();
        thread_.join();
    }
    /// Blocks until the log has published `enough`; each publish wakes it.
    template <class Enough>
    void await(Enough enough) {
        for (;;) {
            const int seen = wakes_.load();
            if (enough()) return;
            wakes_.wait(seen);
        }
    }

    std::atomic<int> wakes_{0};
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

TEST_F(CommitterThreadTest, EverythingHandedOverIsCommittedInOrder) {
    must_open();
    start();
    constexpr int kRecords = 20'000;
    std::uint64_t previous = 0;
    for (int i = 0; i < kRecords; ++i) {
        const Appended at = append(batch("body " + std::to_string(i)));
        if (i % 7 == 0) {
            while (!log_->flush()) await([&] { return log_->uncommitted_bytes() < 1'000'000; });
        }
        const std::uint64_t committed = log_->committed_lsn().value();
        ASSERT_LE(previous, committed);
        ASSERT_LE(committed, at.lsn.value());
        previous = committed;
    }
    await([&] { return log_->flush(); });
    await([&] { return log_->committed_lsn() == log_->last_lsn(); });
    EXPECT_EQ(log_->uncommitted_bytes(), 0U);
    stop();
    crash();
    must_open();
    int next = 0;
    for (const Replayed& record : replayed_) {
        if (record.kind == Kind::kBatch) {
            EXPECT_EQ(record.body, "body " + std::to_string(next++));
        }
    }
    EXPECT_EQ(next, kRecords);
}

TEST_F(CommitterThreadTest, ASleepingThreadIsWokenByEachHandOver) {
    must_open();
    start();
    for (int i = 0; i < 500; ++i) {
        append(batch("one at a time"));
        ASSERT_TRUE(log_->flush());
        await([&] { return log_->committed_lsn() == log_->last_lsn(); });
    }
    stop();
}

TEST_F(CommitterThreadTest, AFailureReachesTheShardAndTheThreadStillStops) {
    must_open();
    start();
    files_.fail_nth(Files::Op::kSync, 5, Code::kIo);
    for (int i = 0; i < 20 && !log_->failed(); ++i) {
        append(batch("body"));
        log_->flush();
        await([&] { return log_->failed() || log_->committed_lsn() == log_->last_lsn(); });
    }
    ASSERT_TRUE(log_->failed());
    EXPECT_LT(log_->committed_lsn(), log_->last_lsn());
    stop();
}

TEST_F(CommitterThreadTest, ReadersReadWhileTheLogGoesOn) {
    must_open();
    start();
    std::vector<Position> positions;
    for (int i = 0; i < 200; ++i) positions.push_back(append(batch("body " + std::to_string(i))).position);
    await([&] { return log_->flush(); });
    await([&] { return log_->committed_lsn() == log_->last_lsn(); });
    std::atomic<int> wrong{0};
    std::vector<std::thread> readers;
    for (int r = 0; r < 3; ++r) {
        readers.emplace_back([&, r] {
            for (std::size_t i = 0; i < positions.size(); ++i) {
                const std::size_t at = (i * 7 + static_cast<std::size_t>(r)) % positions.size();
                const auto read = log_->reader().read(positions[at]);
                if (!read || as_text(read->body.bytes()) != "body " + std::to_string(at)) wrong.fetch_add(1);
            }
        });
    }
    for (int i = 0; i < 500; ++i) {
        append(batch(std::string(100, 'x')));
        while (!log_->flush()) await([&] { return log_->uncommitted_bytes() < 10'000; });
    }
    for (std::thread& reader : readers) reader.join();
    EXPECT_EQ(wrong.load(), 0);
    await([&] { return log_->committed_lsn() == log_->last_lsn(); });
    stop();
}

}  // namespace
}  // namespace telpher::log
