// Every op by users who have one right each: what docs/protocol/rights.md says is what the shard does.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "proto/security/key_file.h"
#include "tests/sim/sim_peer.h"

namespace telpher::sim {
namespace {

using broker::Users;
using security::Rules;
using security::UserFile;

/// The same key for a user of that name, until it gets another one.
std::map<std::string, std::string>& keys() {
    static std::map<std::string, std::string> keys;
    return keys;
}

/// Makes `rules` of each user known to the shard.
void set_users(SimBroker& broker, const std::map<std::string, Rules>& rules) {
    std::vector<UserFile> users;
    for (const auto& [name, of] : rules) {
        std::string& key = keys()[name];
        if (key.empty()) key = security::make_key_pair()->public_key;
        users.push_back({name, {key}, of});
    }
    broker.shard().set_users(std::make_shared<const Users>(users));
}

/// The table of rights: op -> (user -> allowed).
std::map<std::string, std::map<std::string, bool>> documented() {
    std::ifstream page(TELPHER_SOURCE_DIR "/docs/protocol/rights.md");
    EXPECT_TRUE(page);
    std::map<std::string, std::map<std::string, bool>> table;
    const std::vector<std::string> users{"put", "get", "admin"};
    for (std::string line; std::getline(page, line);) {
        std::vector<std::string> cells;
        std::istringstream row(line);
        for (std::string cell; std::getline(row, cell, '|');) {
            if (cell.empty()) continue;
            cell.erase(0, cell.find_first_not_of(' '));
            cell.erase(cell.find_last_not_of(' ') + 1);
            cells.push_back(cell);
        }
        if (cells.size() != 4 || (cells[1] != "yes" && cells[1] != "no")) continue;
        for (std::size_t i = 0; i < users.size(); ++i) table[cells[0]][users[i]] = cells[i + 1] == "yes";
    }
    return table;
}

class AccessTest : public testing::Test {
protected:
    AccessTest() {
        EXPECT_TRUE(broker.start());
        local.hello();
        local.open("q");
        set_users(broker, {{"put", {{"q"}, {}, {}}},
                           {"get", {{}, {"q"}, {}}},
                           {"admin", {{}, {}, {"q", "new"}}},
                           {"none", {{"other"}, {}, {}}}});
    }
    /// Opens "q" without asking for more than the right to.
    static std::uint32_t open(SimPeer& peer, std::string_view name = "q") {
        v1::Open request;
        request.set_req(peer.request());
        request.set_name(std::string(name));
        peer.send(v1::OP_OPEN, request);
        const auto opened = peer.look<v1::Opened>(v1::OP_OPENED);
        return opened ? opened->handle() : 0;
    }
    template <class Request>
    static Code ask(SimPeer& peer, v1::Op op, Request request) {
        request.set_req(peer.request());
        peer.send(op, request);
        return peer.refused();
    }
    template <class Request>
    static Code ask_about(SimPeer& peer, v1::Op op, std::string_view queue = "q") {
        Request request;
        if constexpr (requires { request.set_handle(0U); }) request.set_handle(open(peer, queue));
        if constexpr (requires { request.set_name(""); }) request.set_name(std::string(queue));
        return ask(peer, op, request);
    }
    static Code put(SimPeer& peer) {
        const std::uint32_t handle = open(peer);
        peer.put(handle, 1, 0, 1);
        const auto confirm = peer.look<v1::Confirm>(v1::OP_CONFIRM);
        if (!confirm || confirm->refused_size() == 0) return Code::kOk;
        // Past the right, the producer was never opened.
        const auto code = static_cast<Code>(confirm->refused(2));
        return code == Code::kUnknownProducer ? Code::kOk : code;
    }
    static Code open_with(SimPeer& peer, const std::string& name, bool create, bool wait) {
        v1::Open request;
        request.set_name(name);
        request.set_create(create);
        request.set_wait(wait);
        return ask(peer, v1::OP_OPEN, request);
    }

    const std::map<std::string, std::function<Code(SimPeer&)>> ops{
        {"PING, BYE",
         [](SimPeer& peer) {
             peer.send(v1::OP_PING, v1::Ping());
             peer.send(v1::OP_BYE, v1::Bye());
             return peer.refused();
         }},
        {"OPEN of a queue that is there", [](SimPeer& peer) { return open_with(peer, "q", false, false); }},
        {"OPEN that waits for a queue",
         [this](SimPeer& peer) {
             remove_queue();
             return open_with(peer, "q", false, true);
         }},
        {"OPEN that makes the queue",
         [this](SimPeer& peer) {
             remove_queue();
             return open_with(peer, "q", true, false);
         }},
        {"OPEN_PRODUCER", [](SimPeer& peer) { return ask_about<v1::OpenProducer>(peer, v1::OP_OPEN_PRODUCER); }},
        {"PUT", put},
        {"ATTACH", [](SimPeer& peer) { return ask_about<v1::Attach>(peer, v1::OP_ATTACH); }},
        {"SEAL", [](SimPeer& peer) { return ask_about<v1::Seal>(peer, v1::OP_SEAL); }},
        {"REOPEN",
         [this](SimPeer& peer) {
             local.seal(open(local));
             local.await(v1::OP_OK);
             return ask_about<v1::Reopen>(peer, v1::OP_REOPEN);
         }},
        {"JOIN", [](SimPeer& peer) { return ask_about<v1::Join>(peer, v1::OP_JOIN); }},
        {"CHANGE",
         [](SimPeer& peer) {
             v1::Change request;
             request.set_what(v1::Change::WHAT_PAUSE);
             request.set_name("q");
             return ask(peer, v1::OP_CHANGE, request);
         }},
        {"SHOW", [](SimPeer& peer) { return ask_about<v1::Show>(peer, v1::OP_SHOW); }},
        {"LIST", [](SimPeer& peer) { return ask(peer, v1::OP_LIST, v1::List()); }},
        {"PEEK", [](SimPeer& peer) { return ask_about<v1::Peek>(peer, v1::OP_PEEK); }},
        {"HANDLE_DEAD",
         [](SimPeer& peer) {
             v1::HandleDead request;
             request.set_what(v1::HandleDead::WHAT_REDRIVE);
             request.set_name("q");
             return ask(peer, v1::OP_HANDLE_DEAD, request);
         }},
        {"STATUS", [](SimPeer& peer) { return ask(peer, v1::OP_STATUS, v1::Status()); }},
    };
    /// Whether it is there or not.
    void remove_queue() {
        v1::Change change;
        change.set_what(v1::Change::WHAT_REMOVE);
        change.set_name("q");
        change.set_force(true);
        ask(local, v1::OP_CHANGE, change);
        local.clear();
    }

    SimBroker broker{1};
    SimPeer local{broker, "uid:0"};
};

TEST_F(AccessTest, every_op_is_allowed_and_denied_as_documented) {
    const auto table = documented();
    ASSERT_EQ(table.size(), ops.size());
    for (const auto& [op, users] : table) {
        ASSERT_TRUE(ops.contains(op)) << op;
        for (const auto& [user, allowed] : users) {
            open_with(local, "q", true, false);
            SimPeer peer(broker, user);
            peer.hello();
            EXPECT_EQ(ops.at(op)(peer), allowed ? Code::kOk : Code::kDenied) << op << " by " << user;
            peer.lose();
            remove_queue();
        }
    }
}

TEST_F(AccessTest, without_a_right_nothing_is_learnt_of_a_queue) {
    SimPeer peer(broker, "none");
    peer.hello();
    for (const char* name : {"q", "absent"}) {
        EXPECT_EQ(open_with(peer, name, false, false), Code::kDenied) << name;
        EXPECT_EQ(open_with(peer, name, false, true), Code::kDenied) << name;
        EXPECT_EQ(ask_about<v1::Show>(peer, v1::OP_SHOW, name), Code::kDenied) << name;
        EXPECT_EQ(ask_about<v1::Peek>(peer, v1::OP_PEEK, name), Code::kDenied) << name;
        EXPECT_EQ(ask_about<v1::Change>(peer, v1::OP_CHANGE, name), Code::kDenied) << name;
    }
    v1::List list;
    list.set_req(peer.request());
    peer.send(v1::OP_LIST, list);
    EXPECT_EQ(peer.await<v1::Queues>(v1::OP_QUEUES).queues_size(), 0);
    EXPECT_TRUE(peer.connected()) << "a denial ends nothing";
}

TEST_F(AccessTest, nobody_comes_in_under_a_name_that_no_user_has) {
    SimPeer peer(broker, "mallory");
    v1::Hello hello;
    hello.set_proto_min(1);
    hello.set_proto_max(1);
    peer.send(v1::OP_HELLO, hello);
    EXPECT_EQ(peer.refused(), Code::kAuth);
    EXPECT_FALSE(peer.connected());
}

TEST_F(AccessTest, a_producer_goes_on_by_its_user_alone) {
    SimPeer owner(broker, "put");
    owner.hello();
    const std::uint64_t producer = owner.open_producer(open(owner));
    owner.lose();
    broker.settle();
    local.refused();
    v1::OpenProducer request;
    request.set_req(local.request());
    request.set_epoch(local.epoch());
    request.set_handle(open(local));
    request.set_producer(producer);
    local.send(v1::OP_OPEN_PRODUCER, request);
    EXPECT_EQ(local.refused(), Code::kUnknownProducer) << "ids can be guessed";
}

TEST_F(AccessTest, a_producer_is_its_users_over_a_restart) {
    const std::map<std::string, Rules> users{
        {"put", {{"q"}, {}, {}}}, {"other", {{"q"}, {}, {}}}, {"admin", {{}, {}, {"q"}}}};
    set_users(broker, users);
    const auto open_as = [](SimPeer& peer, std::uint64_t producer, const std::string& name) {
        v1::OpenProducer request;
        request.set_epoch(peer.epoch());
        request.set_handle(open(peer));
        request.set_producer(producer);
        request.set_name(name);
        return ask(peer, v1::OP_OPEN_PRODUCER, request);
    };
    SimPeer owner(broker, "put");
    owner.hello();
    const std::uint64_t producer = owner.open_producer(open(owner));
    ASSERT_EQ(open_as(owner, 0, "named"), Code::kOk);
    broker.kill();
    ASSERT_TRUE(broker.start());
    set_users(broker, users);
    SimPeer other(broker, "other");
    other.hello();
    EXPECT_EQ(open_as(other, producer, ""), Code::kUnknownProducer);
    EXPECT_EQ(open_as(other, 0, "named"), Code::kDenied);
    SimPeer admin(broker, "admin");
    admin.hello();
    EXPECT_EQ(open_as(admin, 0, "named"), Code::kOk) << "or a name would be lost with its user";
    SimPeer back(broker, "put");
    back.hello();
    EXPECT_EQ(open_as(back, producer, ""), Code::kOk);
    EXPECT_EQ(open_as(back, 0, "named"), Code::kDenied) << "it is the admin's now";
}

TEST_F(AccessTest, a_session_is_resumed_by_its_user_alone) {
    SimPeer owner(broker, "put");
    const v1::HelloOk session = owner.hello();
    SimPeer thief(broker, "get");
    EXPECT_FALSE(thief.hello(session).resumed());
    EXPECT_TRUE(owner.connected()) << "nor is it fenced";
    SimPeer local_thief(broker, "uid:0");
    EXPECT_FALSE(local_thief.hello(session).resumed());
    owner.lose();
    owner.reconnect();
    EXPECT_TRUE(owner.hello(session).resumed());
}

TEST_F(AccessTest, a_user_that_is_removed_is_thrown_out_and_its_work_returns) {
    SimPeer consumer(broker, "get");
    consumer.hello();
    const std::uint32_t sub = consumer.attach(open(consumer), 1);
    const std::uint32_t handle = open(local);
    local.put(handle, local.open_producer(handle), 0, 1);
    EXPECT_EQ(consumer.await<v1::Deliver>(v1::OP_DELIVER).sub(), sub);
    set_users(broker, {{"put", {{"q"}, {}, {}}}});
    EXPECT_EQ(consumer.refused(), Code::kAuth);
    EXPECT_FALSE(consumer.connected());
    EXPECT_EQ(local.show("q").ready(), 1U) << "at once: nobody can claim it";
}

TEST_F(AccessTest, a_key_that_counts_no_more_ends_the_connection_but_not_the_session) {
    SimPeer producer(broker, "put");
    const v1::HelloOk session = producer.hello();
    SimPeer other(broker, "get");
    other.hello();
    keys()["put"] = security::make_key_pair()->public_key;
    set_users(broker, {{"put", {{"q"}, {}, {}}}, {"get", {{}, {"q"}, {}}}});
    EXPECT_FALSE(producer.connected()) << "it may have the old key";
    EXPECT_TRUE(other.connected());
    producer.reconnect();  // only who has the new key gets so far
    EXPECT_TRUE(producer.hello(session).resumed());
}

TEST_F(AccessTest, a_right_that_is_lost_ends_the_connection_and_is_not_given_again) {
    SimPeer producer(broker, "put");
    const v1::HelloOk session = producer.hello();
    const std::uint32_t handle = open(producer);
    producer.open_producer(handle);
    EXPECT_EQ(local.show("q").producers(), 1U);
    set_users(broker, {{"put", {{}, {"q"}, {}}}});
    EXPECT_FALSE(producer.connected());
    EXPECT_EQ(local.show("q").producers(), 0U) << "its producer is closed";
    producer.reconnect();
    EXPECT_TRUE(producer.hello(session).resumed());
    EXPECT_EQ(ask_about<v1::OpenProducer>(producer, v1::OP_OPEN_PRODUCER), Code::kDenied);
    EXPECT_EQ(ask_about<v1::Attach>(producer, v1::OP_ATTACH), Code::kOk) << "but the new one counts";
}

TEST_F(AccessTest, who_waits_for_a_queue_needs_the_right_when_it_comes) {
    SimPeer waiting(broker, "none");
    waiting.hello();
    ASSERT_EQ(open_with(waiting, "other", false, true), Code::kOk);
    set_users(broker, {{"none", {}}});
    ASSERT_TRUE(waiting.connected());
    open_with(local, "other", true, false);
    EXPECT_EQ(waiting.refused(), Code::kDenied);
    EXPECT_FALSE(waiting.look<v1::Opened>(v1::OP_OPENED)) << "it learns nothing of the queue";
}

TEST_F(AccessTest, what_does_not_take_a_right_away_disturbs_nobody) {
    SimPeer producer(broker, "put");
    producer.hello();
    const std::uint32_t handle = open(producer);
    set_users(broker, {{"put", {{"q*"}, {"q"}, {}}}, {"new", {}}});
    EXPECT_TRUE(producer.connected());
    v1::Attach attach;
    attach.set_handle(handle);
    EXPECT_EQ(ask(producer, v1::OP_ATTACH, attach), Code::kOk) << "a right that was added counts at once";
}

}  // namespace
}  // namespace telpher::sim
