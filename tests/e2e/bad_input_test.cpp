// What users get wrong: names, sizes, times, flags, folders and addresses.
//
// Claim: each is a clear error with its code of the catalogue on stderr, nothing on stdout, and the exit status that
// scripts rely on; through the library it is the same code; the broker does not mind.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <telpher/client.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <optional>

#include "tests/support/broker.h"
#include "tests/support/zmtp_peer.h"

namespace telpher::test {
namespace {

using testing::HasSubstr;

constexpr Duration kAnswerWithin = 20s;
constexpr int kFailed = 1;
constexpr int kUsage = 64;
constexpr int kUnavailable = 69;
constexpr int kTemporary = 75;
constexpr int kConfig = 78;

class BadInput : public testing::Test {
protected:
    /// Runs `telpher` with these arguments against the broker.
    Finished telpher(std::vector<std::string> args, const std::string& input = {}) {
        args.insert(args.end(), {"-s", broker_.ipc()});
        ProcessOptions options;
        options.input = input;
        return run(program("telpher"), std::move(args), kAnswerWithin, options);
    }

    static void expect_refused(const Finished& done, int status, const std::string& code) {
        EXPECT_TRUE(done.ended.exited(status)) << done.ended.text() << " " << done.errors;
        EXPECT_THAT(done.errors, HasSubstr(code));
        EXPECT_EQ(done.output, "");
    }

    void SetUp() override {
        QueueOptions full;
        full.maxsize = 1;
        Queue queue = client_.queue("full", full);
        ASSERT_TRUE(queue.put("fills it").has_value());
        Queue sealed = client_.queue("sealed");
        ASSERT_TRUE(sealed.seal().has_value());
        client_.queue("jobs");
    }

    void TearDown() override {
        EXPECT_TRUE(broker_.running());
        EXPECT_TRUE(client_.queue("jobs").put("still served").has_value());
    }

    Broker broker_;
    Client client_{broker_.ipc()};
};

TEST_F(BadInput, an_unknown_queue) {
    expect_refused(telpher({"get", "nosuch", "--wait", "100ms"}), kFailed, "E_NOT_FOUND");
    expect_refused(telpher({"put", "nosuch", "x"}), kFailed, "E_NOT_FOUND");
    expect_refused(telpher({"join", "nosuch"}), kFailed, "E_NOT_FOUND");
    expect_refused(telpher({"seal", "nosuch"}), kFailed, "E_NOT_FOUND");
    expect_refused(telpher({"peek", "nosuch"}), kFailed, "E_NOT_FOUND");
    expect_refused(telpher({"queue", "show", "nosuch"}), kFailed, "E_NOT_FOUND");
    expect_refused(telpher({"queue", "rm", "nosuch", "--yes"}), kFailed, "E_NOT_FOUND");
    QueueOptions existing;
    existing.create = false;
    const auto queue = client_.open("nosuch", existing);
    ASSERT_FALSE(queue.has_value());
    EXPECT_EQ(queue.error().code(), Code::kNotFound);
}

TEST_F(BadInput, a_name_that_is_none) {
    for (const char* name : {"", "a b", ".hidden", "/rooted", "new\nline"}) {
        const auto queue = client_.open(name);
        ASSERT_FALSE(queue.has_value()) << name;
        EXPECT_EQ(queue.error().code(), Code::kBadName) << name;
    }
    expect_refused(telpher({"queue", "create", "a b"}), kUsage, "E_BAD_NAME");
    expect_refused(telpher({"queue", "create", std::string(256, 'n')}), kUsage, "E_BAD_NAME");
}

TEST_F(BadInput, a_message_over_the_limit) {
    const TempDir dir;
    const auto file = dir.path() / "large";
    std::ofstream(file) << std::string(1024 * 1024 + 1, 'x');
    expect_refused(telpher({"put", "jobs", "@" + file.string()}), kFailed, "E_TOO_LARGE");
    std::ofstream(file) << "fits\n" << std::string(1024 * 1024 + 1, 'x') << "\nnever read\n";
    const Finished lines =
        run("/bin/sh",
            {"-c", "exec \"$0\" put jobs --lines -s \"$1\" < \"$2\"", program("telpher"), broker_.ipc(), file.string()},
            kAnswerWithin);
    expect_refused(lines, kFailed, "E_TOO_LARGE");
    EXPECT_THAT(lines.errors, HasSubstr("1 messages confirmed, 1 not"));
    const auto put = client_.queue("jobs").put(std::string(1024 * 1024 + 1, 'x'));
    ASSERT_FALSE(put.has_value());
    EXPECT_EQ(put.error().code(), Code::kTooLarge);
}

TEST_F(BadInput, a_sealed_queue) {
    expect_refused(telpher({"put", "sealed", "x"}), kFailed, "E_SEALED");
    const auto put = client_.queue("sealed").put("x");
    ASSERT_FALSE(put.has_value());
    EXPECT_EQ(put.error().code(), Code::kSealed);
}

TEST_F(BadInput, a_put_that_times_out) {
    expect_refused(telpher({"put", "full", "x", "--timeout", "200ms"}), kTemporary, "E_TIMEOUT");
    EXPECT_EQ(client_.show("full")->put, 1U) << "certainly not in the queue";
}

TEST_F(BadInput, a_put_that_is_rejected) {
    QueueOptions rejects;
    rejects.maxsize = 1;
    rejects.on_full = OnFull::kReject;
    Queue queue = client_.queue("rejects", rejects);
    ASSERT_TRUE(queue.put("fills it").has_value());
    expect_refused(telpher({"put", "rejects", "x"}), kTemporary, "E_QUEUE_FULL");
}

TEST_F(BadInput, other_options_than_the_queue_has) {
    QueueOptions other;
    other.maxsize = 2;
    const auto queue = client_.open("full", other);
    ASSERT_FALSE(queue.has_value());
    EXPECT_EQ(queue.error().code(), Code::kQueueMismatch);
    expect_refused(telpher({"put", "full", "x", "--create", "maxsize=2"}), kFailed, "E_QUEUE_MISMATCH");
}

TEST_F(BadInput, nothing_to_get) {
    const Finished done = telpher({"get", "jobs", "--wait", "100ms"});
    EXPECT_TRUE(done.ended.exited(2)) << done.ended.text() << " " << done.errors;
    EXPECT_EQ(done.output, "");
}

TEST_F(BadInput, a_join_that_times_out) {
    expect_refused(telpher({"join", "jobs", "--timeout", "200ms"}), kTemporary, "E_TIMEOUT");
}

TEST_F(BadInput, flags_that_are_none) {
    for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
             {"put", "jobs", "x", "--no-such-flag"},
             {"put"},
             {"nonsense"},
             {"put", "jobs", "x", "--timeout", "soon"},
             {"get", "jobs", "-n", "-3"},
             {"put", "jobs", "x", "--count", "1e20"},
             {"put", "jobs", "x", "--count", "0"},
             {"queue", "create", "q", "--maxsize", "many"},
             {"run", "jobs", "--threads", "0", "--", "true"},
         }) {
        const Finished done = telpher(args);
        EXPECT_TRUE(done.ended.exited(kUsage))
            << testing::PrintToString(args) << " " << done.ended.text() << " " << done.errors;
        EXPECT_EQ(done.output, "");
        EXPECT_THAT(done.errors, HasSubstr("E_USAGE"));
    }
}

// Descriptors 0 to 2 that are closed at the start must not become sockets or events of ours.
TEST_F(BadInput, standard_streams_that_are_closed) {
    const auto closed = [&](const std::string& streams, const std::string& command) {
        return run("/bin/sh", {"-c", "exec \"$0\" -s \"$1\" " + command + streams, program("telpher"), broker_.ipc()},
                   kAnswerWithin);
    };
    Queue queue = client_.queue("jobs");
    ASSERT_TRUE(queue.put("kept").has_value());
    Finished done = closed(" <&- >&-", "get jobs --wait 5s");
    EXPECT_TRUE(done.ended.exited(kFailed)) << done.ended.text();
    EXPECT_THAT(done.errors, HasSubstr("E_IO"));
    EXPECT_EQ(queue.stats()->acked, 0U) << "what could not be written is not acked";
    done = closed(" <&-", "put jobs --lines");
    EXPECT_TRUE(done.ended.exited(kFailed)) << done.ended.text();
    EXPECT_THAT(done.errors, HasSubstr("E_IO"));
    EXPECT_TRUE(closed(" <&- >&- 2>&-", "queue ls").ended.exited(kFailed));
    EXPECT_TRUE(closed(" <&- >&- 2>&-", "put jobs x").ended.ok());
}

TEST_F(BadInput, an_endpoint_that_makes_no_sense) {
    EXPECT_THROW(Client("carrier-pigeon://roof"), Failure);
    const Finished done = run(program("telpher"), {"status", "-s", "carrier-pigeon://roof"}, kAnswerWithin);
    EXPECT_TRUE(done.ended.exited(kUsage)) << done.ended.text() << " " << done.errors;
}

TEST_F(BadInput, no_broker_there) {
    const Finished done =
        run(program("telpher"), {"put", "jobs", "x", "-s", "ipc:///tmp/telpher-nobody.sock", "--timeout", "500ms"},
            kAnswerWithin);
    expect_refused(done, kUnavailable, "E_UNREACHABLE");
}

TEST_F(BadInput, a_broker_that_comes_late_is_waited_for) {
    broker_.kill();
    const std::vector<std::string> server{"-s", broker_.ipc(), "--timeout", "15s"};
    const auto with = [&](std::vector<std::string> args) {
        args.insert(args.begin() + 1, server.begin(), server.end());
        return args;
    };
    Process put(program("telpher"), with({"put", "jobs", "late"}));
    Process get(program("telpher"), with({"get", "jobs", "--wait", "15s"}));
    Process worker(program("telpher"), with({"run", "full", "--exit-on", "idle:200ms", "--", "true"}));
    pass_time(1s);
    broker_.start();
    for (Process* process : {&put, &get, &worker}) {
        const auto ended = process->wait(20s);
        ASSERT_TRUE(ended) << process->errors();
        EXPECT_TRUE(ended->ok()) << ended->text() << process->errors();
    }
}

TEST_F(BadInput, a_message_that_no_queue_takes_does_not_end_the_producer) {
    for (const auto& [mode, bad] : std::vector<std::pair<std::string, std::string>>{
             {"--json-lines", "no json"}, {"--quiet", std::string(2 << 20, 'x')}}) {
        const std::string endpoint = "ipc://" + (broker_.dir() / ("pull" + mode)).string();
        Queue queue = client_.queue("jobs");
        const std::uint64_t before = queue.stats()->put;
        Process producer(program("telpher-producer"), {"jobs", "--pull", endpoint, mode, "-s", broker_.ipc()});
        std::optional<ZmtpPeer> peer;
        ASSERT_TRUE(eventually(10s, [&] {
            try {
                peer.emplace(endpoint);
            } catch (const std::runtime_error&) {
            }
            return peer.has_value();
        })) << producer.errors();
        ASSERT_TRUE(peer->handshake({{"Socket-Type", "PUSH"}}));
        ASSERT_TRUE(peer->send({bad}));
        ASSERT_TRUE(peer->send({R"({"body":"fine"})"}));
        EXPECT_TRUE(eventually(10s, [&] { return queue.stats()->put == before + 1; })) << producer.errors();
        EXPECT_TRUE(producer.running()) << producer.errors();
        producer.signal(SIGTERM);
        const auto ended = producer.wait(10s);
        EXPECT_TRUE(ended && ended->ok()) << producer.errors();
        if (mode != "--quiet") {
            EXPECT_THAT(producer.errors(), HasSubstr("left out"));
        }
    }
}

// --- the daemon's ---

class BadStart : public testing::Test {
protected:
    static Finished telpherd(std::vector<std::string> args) {
        return run(program("telpherd"), std::move(args), kAnswerWithin);
    }
    [[nodiscard]] std::string socket(const std::string& name) const { return "ipc://" + (dir_.path() / name).string(); }

    static void expect_refused(const Finished& done, const std::string& code) {
        EXPECT_EQ(done.ended.signal, 0) << done.ended.text();
        EXPECT_NE(done.ended.code, 0);
        EXPECT_THAT(done.errors, HasSubstr(code));
        EXPECT_THAT(done.output, testing::Not(HasSubstr("ready")));
    }

    TempDir dir_;
};

TEST_F(BadStart, a_second_daemon_on_the_same_folder) {
    Broker first;
    const auto second = telpherd({"--data-dir", first.data_dir(), "--listen", socket("second")});
    expect_refused(second, "E_LOCKED");
    EXPECT_TRUE(second.ended.exited(kTemporary)) << second.ended.text();
    Client client(first.ipc());
    EXPECT_TRUE(client.queue("q").put("still served").has_value());
}

TEST_F(BadStart, a_second_daemon_with_the_same_command_line) {
    Broker first;
    expect_refused(telpherd(first.args()), "E_LOCKED");
    Client client(first.ipc());
    EXPECT_TRUE(client.queue("q").put("its socket was not stolen").has_value());
}

TEST_F(BadStart, a_port_that_is_taken) {
    Broker first;
    const auto second = telpherd({"--data-dir", dir_.path() / "data", "--listen", first.tcp()});
    expect_refused(second, "E_ADDRESS_IN_USE");
    EXPECT_TRUE(second.ended.exited(kUnavailable)) << second.ended.text();
}

TEST_F(BadStart, a_socket_that_another_daemon_has) {
    Broker first;
    const auto second = telpherd({"--data-dir", dir_.path() / "data", "--listen", first.ipc()});
    expect_refused(second, "E_ADDRESS_IN_USE");
    EXPECT_TRUE(second.ended.exited(kUnavailable)) << second.ended.text();
    Client client(first.ipc());
    EXPECT_TRUE(client.create("still-here", {}).has_value());
    first.kill();
    first.start();  // what a killed one left behind is nobody's
}

TEST_F(BadStart, a_folder_that_cannot_be_written) {
    // A path through a file: no permission is asked, so it fails for root as well.
    std::ofstream(dir_.path() / "file") << "x";
    expect_refused(telpherd({"--data-dir", dir_.path() / "file" / "data", "--listen", socket("s")}), "E_IO");
    const auto locked = dir_.path() / "locked";
    std::filesystem::create_directory(locked);
    ASSERT_EQ(::chmod(locked.c_str(), 0500), 0);
    if (::geteuid() != 0) expect_refused(telpherd({"--data-dir", locked / "data", "--listen", socket("s")}), "E_IO");
}

TEST_F(BadStart, flags_that_are_none) {
    const std::string data = dir_.path() / "data";
    for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
             {"--data-dir", data, "--no-such-flag"},
             {"--data-dir", data, "--listen", socket("s"), "--connections-max", "-1"},
             {"--data-dir", data, "--listen", socket("s"), "--log-level", "shouting"},
             {"--data-dir", data, "--listen", socket("s"), "--heartbeat-ms", "5s"},
             {"--data-dir", data, "--listen", socket("s"), "--segment-bytes", "large"},
             {"--data-dir", data, "surplus"},
             {"fsck"},
         }) {
        const Finished done = telpherd(args);
        EXPECT_TRUE(done.ended.exited(kUsage))
            << testing::PrintToString(args) << " " << done.ended.text() << " " << done.errors;
        expect_refused(done, "E_USAGE");
    }
}

TEST_F(BadStart, addresses_that_are_none) {
    for (const char* address : {"carrier-pigeon://roof", "tcp://127.0.0.1", "tcp://nowhere.invalid:1", "ipc://"}) {
        const Finished done = telpherd({"--data-dir", dir_.path() / "data", "--listen", address});
        expect_refused(done, "E_CONFIG");
        EXPECT_TRUE(done.ended.exited(kConfig)) << address << " " << done.ended.text();
    }
}

TEST_F(BadStart, an_address_for_everybody_without_keys) {
    const auto done =
        telpherd({"--data-dir", dir_.path() / "data", "--listen", "tcp://0.0.0.0:" + std::to_string(free_port())});
    EXPECT_NE(done.ended.code, 0);
    EXPECT_THAT(done.errors, HasSubstr("--insecure"));
}

TEST_F(BadStart, a_socket_path_over_107_bytes) {
    const auto done = telpherd({"--data-dir", dir_.path() / "data", "--listen", "ipc:///tmp/" + std::string(120, 's')});
    EXPECT_EQ(done.ended.signal, 0) << done.ended.text();
    EXPECT_NE(done.ended.code, 0);
}

}  // namespace
}  // namespace telpher::test
