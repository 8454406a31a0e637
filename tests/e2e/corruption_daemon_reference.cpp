#include <gtest/gtest.h>
#include <telpher/client.h>

#include <mutex>

#include "proto/base/random.h"
#include "tests/e2e/corruption_daemon.h"

namespace telpher::test {
namespace {

constexpr Millis kLimit{20'000};
constexpr std::uint64_t kRoundMessages = 13'000;    // 10 MB
constexpr std::uint64_t kBacklogMessages = 32'000;  // 24 MB

/// A daemon under load by one client; what is promised is noted when the client knows it.
class DaemonLoad {
public:
    explicit DaemonLoad(Promised& promised) : promised_(promised), broker_(daemon_options()) { connect(); }

    void put(std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) ASSERT_TRUE(queue_->put_async(payload_of(promised_.put++)));
    }
    void flush() { ASSERT_TRUE(queue_->flush(kLimit)); }

    /// Acks what is there, all of it or most; then some become dead letters.
    void consume(bool all) {
        Consumer consumer = queue_->consume({.prefetch = 10'000});
        std::vector<Message> kept;
        for (std::uint64_t id = 0; id + 1 < promised_.put;) {
            auto message = consumer.next(kLimit);
            ASSERT_TRUE(message) << message.error().message();
            id = message->id();
            if (!all && id % 20 == 7) {
                kept.push_back(std::move(*message));
            } else if (!all && id % 100 == 28) {
                message->dead("no good");
            } else {
                acked_.insert(id);
                message->ack();
            }
        }
        ASSERT_TRUE(consumer.flush(kLimit));
        promised_.settled.merge(acked_);
    }

    /// Stops in order and starts again: then there is a checkpoint of now.
    void restart() {
        ASSERT_TRUE(stop());
        broker_.start();
        connect();
    }
    bool stop() {
        leave();
        const auto ended = broker_.terminate(20s);
        return ended && ended->ok();
    }
    /// A damaged checkpoint goes to the quarantine.
    void fill_quarantine() {
        ASSERT_TRUE(stop());
        const Folder files = this->files();
        for (const auto& [name, bytes] : files) {
            if (kind_of(name) != "checkpoint") continue;
            Folder damaged{{name, bytes}};
            damaged[name].front() ^= std::byte{1};
            write_folder(damaged, broker_.data_dir());
            break;
        }
        broker_.start();
        connect();
    }

    /// Dies while puts and acks are on their way.
    void kill(Random& random) {
        put(1'000 + random.below(3'000));
        Consumer consumer = queue_->consume({.prefetch = 500});
        for (std::uint64_t count = random.below(1'000); count > 0; --count) {
            auto message = consumer.next(kLimit);
            ASSERT_TRUE(message) << message.error().message();
            promised_.doubtful.insert(message->id());
            message->ack();
        }
        pass_time(std::chrono::milliseconds(random.below(20)));
        broker_.kill();
        leave();
    }

    [[nodiscard]] Folder files() const { return read_folder(broker_.data_dir()); }

private:
    void connect() {
        leave();
        client_.emplace(ClientOptions{.server = broker_.ipc(), .leave_timeout = Millis(0)});
        queue_.emplace(client_->queue(kQueue, {.maxsize = 1'000'000}));
        const std::uint64_t first = promised_.put;
        queue_->on_confirm([this, first](const Confirmed& confirmed) {
            if (confirmed.code != Code::kOk) return;
            const std::lock_guard lock(mutex_);
            EXPECT_EQ(confirmed.id, first + confirmed.first) << "one producer at a time: ids rise with its sequences";
            for (std::uint64_t i = 0; i < confirmed.count; ++i) promised_.stored.insert(confirmed.id + i);
        });
    }
    void leave() {
        queue_.reset();
        client_.reset();
    }

    Promised& promised_;
    std::mutex mutex_;  // stored, while puts are on their way
    std::set<std::uint64_t> acked_;
    Broker broker_;
    std::optional<Client> client_;
    std::optional<Queue> queue_;
};

Reference named(const char* name, bool clean) {
    Reference reference;
    reference.name = name;
    reference.clean = clean;
    reference.segment_bytes = kDaemonSegmentBytes;
    return reference;
}

}  // namespace

Reference daemon_reference(std::uint64_t seed, bool clean) {
    Reference reference = named(clean ? "telpherd, stopped" : "telpherd, killed", clean);
    Random random(seed);
    DaemonLoad load(reference.promised);
    constexpr int kRounds = 5;
    for (int round = 0; round < kRounds; ++round) {
        load.put(kRoundMessages);
        load.flush();
        load.consume(round + 1 < kRounds);  // so that segments become spares
        round == 2 ? load.fill_quarantine() : load.restart();
        if (round % 2 == 1) reference.older.push_back(load.files());
    }
    load.put(kRoundMessages / 4);
    load.flush();
    if (clean) {
        EXPECT_TRUE(load.stop());
    } else {
        load.kill(random);
    }
    reference.files = load.files();
    make_spare(reference);
    return reference;
}

Reference backlog_reference() {
    Reference reference = named("telpherd, backlog", true);
    DaemonLoad load(reference.promised);
    load.put(kBacklogMessages);
    load.flush();
    EXPECT_TRUE(load.stop());
    reference.files = load.files();
    return reference;
}

}  // namespace telpher::test
