// The input is what up to three hostile clients do to a whole shard on simulated files, clock and transport: frames of
// every op in any order, connections lost and resumed, time that passes, crashes and power cuts between and after them.
// The shard comes to rest, its counts add up, another client is served as ever, and a restart brings the same back.
#include <array>
#include <map>

#include "proto/base/check.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/hostile_client.h"
#include "tests/sim/sim_peer.h"

namespace telpher::fuzz {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kStepsMax = 200;
constexpr int kCrashesMax = 3;
constexpr std::uint64_t kFreeBytes = std::uint64_t{1} << 40U;

class Session {
public:
    explicit Session(Choices choices) : choices_(choices), broker_(1) { start(); }

    void run() {
        for (std::size_t step = 0; step < kStepsMax && !choices_.empty(); ++step) this->step();
        leave();
        const auto before = states();
        serve_another();
        broker_.kill();
        start();
        check_same(before, states());
    }

private:
    /// With room on the disk, without which it refuses to.
    void start() {
        broker_.files().set_free_bytes(kFreeBytes);
        const auto started = broker_.start();
        TELPHER_CHECK_MSG(started, started ? "" : started.error().message());
    }

    void step() {
        switch (choices_.below(24)) {
            case 0:
                clients_[choices_.byte() % clients_.size()].lose();
                break;
            case 1:
                clients_[choices_.byte() % clients_.size()].reconnect();
                break;
            case 2:
                broker_.advance(std::chrono::milliseconds(choices_.byte() * 10));
                break;
            case 3:
                broker_.advance(std::chrono::seconds(choices_.byte()));
                break;
            case 4:
                crash();
                break;
            case 5:
                broker_.files().set_free_bytes(choices_.flag() ? 0 : kFreeBytes);
                break;
            default:
                clients_[choices_.byte() % 16U % clients_.size()].act(choices_);
                break;
        }
        turn(choices_.byte());
    }

    /// How far the broker comes before the next step.
    void turn(std::uint8_t how) {
        if (how % 8 == 1) return;
        if (how % 8 == 2) {
            broker_.cycle();
        } else if (how % 8 == 3) {
            broker_.commit();
        } else {
            broker_.settle();
        }
        for (HostileClient& client : clients_) client.read();
    }

    void crash() {
        if (++crashes_ > kCrashesMax) return;
        if (choices_.flag()) {
            broker_.kill();
        } else {
            broker_.power_cut(choices_.byte());
        }
        start();
        for (HostileClient& client : clients_) client.reconnect();
    }

    /// All connections go, and everything that waits for them with time.
    void leave() {
        broker_.files().set_free_bytes(kFreeBytes);
        broker_.settle();
        for (HostileClient& client : clients_) {
            client.read();
            client.lose();
        }
        for (int i = 0; i < 3; ++i) {
            broker_.advance(60s);
            broker_.settle();
        }
    }

    std::map<std::string, v1::QueueState> states() {
        sim::SimPeer peer(broker_);
        peer.hello();
        std::map<std::string, v1::QueueState> states;
        v1::List list;
        for (bool more = true; more;) {
            list.set_req(peer.request());
            peer.send(v1::OP_LIST, list);
            const auto queues = peer.await<v1::Queues>(v1::OP_QUEUES);
            for (const v1::QueueState& state : queues.queues()) states[state.name()] = state;
            more = queues.more();
            if (more) list.set_after(states.rbegin()->first);
        }
        for (const auto& [name, state] : states) check(state);
        peer.lose();
        broker_.settle();
        return states;
    }

    static void check(const v1::QueueState& state) {
        const std::uint64_t live = state.ready() + state.leased() + state.delayed();
        if (state.options().durability() == 3) return;  // what it lost in restarts is counted elsewhere
        TELPHER_CHECK(state.put() == state.acked() + state.dropped() + live + state.dead());
        TELPHER_CHECK(state.died() >= state.dead() && state.high_water() >= live);
        TELPHER_CHECK(state.consumers() == 0 && state.blocked_producers() == 0);
    }

    static void check_same(const std::map<std::string, v1::QueueState>& before,
                           const std::map<std::string, v1::QueueState>& after) {
        for (const auto& [name, state] : before) {
            const auto again = after.find(name);
            TELPHER_CHECK(again != after.end());
            if (state.options().durability() == 3) continue;
            const v1::QueueState& now = again->second;
            TELPHER_CHECK(now.dead() == state.dead() && now.put() == state.put() && now.acked() == state.acked());
            TELPHER_CHECK(now.dropped() == state.dropped() && now.died() == state.died());
            TELPHER_CHECK(now.sealed() == state.sealed() && now.paused() == state.paused());
            TELPHER_CHECK(now.generation() == state.generation() && now.bytes() == state.bytes());
            TELPHER_CHECK(now.options().SerializeAsString() == state.options().SerializeAsString());
        }
    }

    /// A client that keeps to the protocol, on a queue that no other knows.
    void serve_another() {
        sim::SimPeer peer(broker_);
        peer.hello();
        const std::uint32_t handle = peer.open("another-one");
        const std::uint64_t producer = peer.open_producer(handle);
        peer.put(handle, producer, 0, 3);
        const auto confirm = peer.await<v1::Confirm>(v1::OP_CONFIRM);
        TELPHER_CHECK(confirm.decided_below() == 3 && confirm.refused().empty());
        const std::uint32_t sub = peer.attach(handle, 3);
        const auto deliver = peer.await<v1::Deliver>(v1::OP_DELIVER);
        TELPHER_CHECK(deliver.count() > 0 && deliver.delivery() == 1);
        peer.settle(sub, 1, v1::Settle::VERDICT_ACK, {deliver.first_offset(), deliver.count(), 1});
        TELPHER_CHECK(peer.await<v1::Settled>(v1::OP_SETTLED).lost().empty());
    }

    Choices choices_;
    sim::SimBroker broker_;
    std::array<HostileClient, 3> clients_{HostileClient(broker_), HostileClient(broker_), HostileClient(broker_)};
    int crashes_ = 0;
};

/// A row of steps; each is a choice of the step, what it takes, and the turn.
class Script {
public:
    Script& act(std::string_view what, std::uint8_t client = 0) {
        return step(std::string(1, '\x17') + static_cast<char>(client) + std::string(what));
    }
    Script& step(const std::string& what) {
        text_ += what + '\0';
        return *this;
    }
    [[nodiscard]] const std::string& text() const { return text_; }

private:
    std::string text_;
};

}  // namespace

std::vector<std::string> seeds() {
    using namespace std::string_literals;
    // Action, its choices, the epoch (0: the right one).
    const std::string hello = "\0\0\0"s;
    const std::string open = "\1\7\0\0"s;
    const std::string open_small = "\1\7\4\1\2\0"s;
    const std::string open_memory = "\1\1\0\0"s;
    const std::string producer = "\3\0\0\0"s;
    const std::string put = "\5\0\0\0\0\3\5\0\0"s;
    const std::string attach = "\x08\0\x20\0\0\0\0"s;
    const std::string ack = "\x09\0\0\0\0\1\0\0\x7f\0"s;
    const std::string nack = "\x09\0\0\1\0\1\0\0\0\0"s;
    const std::string dead = "\x09\0\0\3\4\3why\1\0\0\1\0"s;
    const std::string seal = "\x0d\0\0\0"s;
    const std::string look = "\x0f\2\7\0\x20\0\0"s;
    const std::string redrive = "\x12\1\7\0\xfe\0\0"s;
    Script whole;
    whole.act(hello).act(open).act(producer).act(put).act(attach).act(ack).act(put).act(nack).act(dead).act(look);
    whole.act(redrive).act(seal).step("\4\1"s).act(hello).act(open).act(attach).act(ack);
    Script full;
    full.act(hello).act(open_small).act(producer).act(put).act(put).act(hello, 1).act(open, 1).act(attach, 1);
    full.act(ack, 1).step("\0\0"s).step("\3\x20"s).step("\1\0"s).act("\0\1\0"s).act(put);
    Script memory;
    memory.act(hello).act(open_memory).act(producer).act(put).act(attach).act(ack).step("\4\0\7"s).act(hello);
    memory.act(open_memory).act(producer).act(put).step("\5\0"s).act(put).step("\5\1"s).act(put);
    return {whole.text(), full.text(), memory.text()};
}

}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    telpher::fuzz::Session(telpher::fuzz::Choices(data, size)).run();
    return 0;
}
