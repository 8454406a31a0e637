// Files of a telpherd that runs are damaged while a consumer drains a backlog that is larger than its cache of bodies.
//
// Claim: whatever is delivered has the bytes that were put with its id. A damaged record that is wanted stops the
// broker, which says where it is and ends with 65. And whether that happened, or the broker was killed or stopped in
// order, the next one on these files serves nothing wrong and hides nothing: what was confirmed is there, or the damage
// is named.
//
// TELPHER_CORRUPTIONS_RUNNING says how often (20 by default); TELPHER_SEED repeats the draws, not the moments.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <telpher/client.h>
#include <unistd.h>

#include <iostream>

#include "tests/e2e/corruption_daemon.h"
#include "tests/support/seed.h"

namespace telpher::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kCorruptionsDefault = 20;
constexpr std::size_t kSector = 512;
constexpr std::uint64_t kFlushEvery = 500;
constexpr std::uint64_t kPutEvery = 1'000;
constexpr Millis kSlice{500};

/// The files that may be damaged: of the segments all but the last, which is still written.
std::vector<fs::path> targets(const fs::path& shard) {
    std::map<std::string, std::vector<fs::path>> kinds;
    for (const auto& entry : fs::directory_iterator(shard)) {
        if (entry.is_regular_file()) kinds[kind_of(entry.path())].push_back(entry.path());
    }
    auto& segments = kinds["seg"];
    std::sort(segments.begin(), segments.end());
    if (!segments.empty()) segments.pop_back();
    std::vector<fs::path> all;
    for (const char* kind : {"seg", "checkpoint", "mark"})
        all.insert(all.end(), kinds[kind].begin(), kinds[kind].end());
    return all;
}

/// One file of a directory in use, written to as it lies there.
std::optional<Corruption> corrupt_living(Random& random, const fs::path& shard) {
    const auto files = targets(shard);
    const fs::path path = files.at(random.below(files.size()));
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return std::nullopt;  // it was dropped just now
    FileBytes bytes(fs::file_size(path));
    const bool read = ::pread(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
    while (!bytes.empty() && bytes.back() == std::byte{0}) bytes.pop_back();
    if (!read || bytes.empty()) {
        ::close(fd);
        return std::nullopt;
    }
    Corruption corruption{random.below(2) == 0 ? Harm::kFlipBit : Harm::kZeroSector, path.filename(), ""};
    std::size_t at = random.below(bytes.size());
    FileBytes harm(kSector);
    if (corruption.harm == Harm::kFlipBit) {
        harm = {bytes[at] ^ std::byte{1} << random.below(8)};
    } else {
        at = at / kSector * kSector;
    }
    EXPECT_EQ(::pwrite(fd, harm.data(), harm.size(), static_cast<off_t>(at)), static_cast<ssize_t>(harm.size()));
    ::close(fd);
    corruption.what = (harm.size() == 1 ? "flip a bit of byte " : "zero the sector at byte ") + std::to_string(at) +
                      " of " + corruption.file;
    return corruption;
}

/// The life of one broker, with its consumer and a producer that puts a little more.
class Life {
public:
    Life(const fs::path& data_dir, Promised& promised)
        : promised_(promised),
          broker_(daemon_options(data_dir)),
          client_(ClientOptions{.server = broker_.ipc(), .leave_timeout = Millis(0)}) {
        served_.started = true;
        queue_.emplace(client_.queue(kQueue));
        consumer_.emplace(queue_->consume({.prefetch = 200}));
    }

    /// Until so many were handled since the start. False: the broker is gone.
    bool drain(std::uint64_t upto) {
        while (handled_ < upto) {
            auto message = next();
            if (!message) return false;
            ++handled_;
            take(*message);
            message->ack();
            if (handled_ % kPutEvery == 0 && !put()) return false;
            if (handled_ % kFlushEvery == 0 && !flush()) return false;
        }
        return flush();
    }

    /// Ends it; true: in order. What it said, if it was not the end it was asked for, is in `served()`.
    bool end(bool kill) {
        if (kill && broker_.running()) {
            broker_.kill();
            return false;
        }
        const auto ended = broker_.running() ? broker_.terminate(20s) : broker_.process().wait(20s);
        if (ended && ended->ok()) return true;
        EXPECT_TRUE(ended && ended->exited(65)) << (ended ? ended->text() : "it does not end");
        served_.failed = true;
        served_.refused = failures_in(broker_.process().errors());
        return false;
    }

    [[nodiscard]] const fs::path shard() const { return broker_.data_dir() / "shard-0"; }
    [[nodiscard]] const Served& served() const { return served_; }

private:
    std::optional<Message> next() {
        for (const Deadline deadline(20s); !deadline.passed();) {
            auto message = consumer_->next(kSlice);
            if (message) return std::move(*message);
            if (!broker_.running()) return std::nullopt;
        }
        ADD_FAILURE() << "the broker runs, and delivers nothing";
        return std::nullopt;
    }

    void take(const Message& message) {
        const std::uint64_t id = message.id();
        if (promised_.settled.contains(id)) served_.wrong.push_back("message " + std::to_string(id) + " was settled");
        const auto [known, fresh] = served_.messages.emplace(id, message.text());
        if (!fresh && known->second != message.text())
            served_.wrong.push_back("message " + std::to_string(id) + " is another the second time");
        promised_.doubtful.insert(id);
    }

    bool put() {
        const std::uint64_t id = promised_.put++;
        if (!queue_->put_async(payload_of(id)) || !settled([&] { return queue_->flush(kSlice); })) return false;
        promised_.stored.insert(id);
        return true;
    }

    bool flush() {
        if (!settled([&] { return consumer_->flush(kSlice); })) return false;
        promised_.settled.merge(promised_.doubtful);
        return true;
    }

    /// Once the broker has answered. False: it is gone.
    bool settled(const std::function<Result<void>()>& flush) {
        for (const Deadline deadline(20s); !deadline.passed();) {
            if (flush()) return true;
            if (!broker_.running()) return false;
        }
        ADD_FAILURE() << "the broker runs, and commits nothing";
        return false;
    }

    Promised& promised_;
    Broker broker_;
    Client client_;
    std::optional<Queue> queue_;
    std::optional<Consumer> consumer_;
    std::uint64_t handled_ = 0;
    Served served_;
};

void append(std::vector<std::string>& all, const std::vector<std::string>& more) {
    all.insert(all.end(), more.begin(), more.end());
}

/// What the life itself did wrong; what is missing is known only after the next start.
Judgement judge_life(const Reference& before, const Served& served) {
    Judgement judgement = judge(before, served);
    if (!served.failed) judgement.undetected.clear();
    return judgement;
}

void corrupt_once(Random& random, const Reference& backlog, Tally& tally) {
    const TempDir dir;
    write_folder(backlog.files, dir.path() / "data");
    Reference after;
    after.promised = backlog.promised;
    const std::uint64_t first = random.below(backlog.promised.put / 2);
    const std::uint64_t last = first + random.below(backlog.promised.put - first);
    const bool kill = random.below(2) == 0;
    Served living;
    std::optional<Corruption> corruption;
    {
        Life life(dir.path() / "data", after.promised);
        ASSERT_TRUE(life.drain(first));
        for (int tries = 0; !corruption && tries < 100; ++tries) corruption = corrupt_living(random, life.shard());
        ASSERT_TRUE(corruption);
        life.drain(last);
        after.clean = life.end(kill);
        living = life.served();
    }
    const std::string what = corruption->what + " after " + std::to_string(first) + " messages, until " +
                             std::to_string(last) +
                             (living.failed ? ", it stopped"
                              : after.clean ? ", stopped"
                                            : ", killed");
    Reference before = after;
    before.clean = false;
    before.promised.settled.clear();
    Judgement judgement = judge_life(before, living);
    Served served = serve_daemon(dir.path() / "data");
    const Judgement then = judge(after, served);
    append(judgement.served_wrong, then.served_wrong);
    append(judgement.undetected, then.undetected);
    served.failed |= living.failed;
    tally.add(*corruption, served, judgement);
    expect_honest(judgement, served, what);
    EXPECT_EQ(then.confirmed_in_tail, 0U) << what << ": the mark is exact after a kill; torn: " << served.torn;
}

TEST(CorruptionOfRunningDaemon, is_never_served_and_never_silent) {
    Random random(test_seed());
    const std::uint64_t count = count_from_env("TELPHER_CORRUPTIONS_RUNNING", kCorruptionsDefault);
    const Reference backlog = backlog_reference();
    Tally tally;
    while (tally.done() < count && !HasFailure()) corrupt_once(random, backlog, tally);
    tally.print("running");
}

}  // namespace
}  // namespace telpher::test
