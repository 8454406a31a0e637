// Workers are told to stop, to begin anew, or find that what they need is away, while handlers run.
//
// Claim: what runs comes to its end and is not done again; what must be interrupted goes back without blame.
#include "tests/e2e/worker_fixture.h"
#include "tests/support/http_request.h"
#include "tests/support/zmtp_peer.h"

namespace telpher::test {
namespace {

using WorkerStopped = WorkerTest;

void expect_exit(Process& worker, int status, Duration limit = 30s) {
    const auto ended = worker.wait(limit);
    ASSERT_TRUE(ended) << worker.errors();
    EXPECT_TRUE(ended->exited(status)) << ended->text() << worker.errors();
}

TEST_F(WorkerStopped, scaling_in_interrupts_nothing_and_repeats_nothing) {
    constexpr std::size_t kWorkers = 10;
    constexpr std::size_t kStay = 2;
    Queue queue = make_queue();
    put(queue, std::vector<std::string>(40, "work"));
    ASSERT_TRUE(queue.seal().has_value());
    for (std::size_t i = 0; i < kWorkers; ++i) run_script({}, "log begin $TELPHER_ID; sleep 0.7; log end $TELPHER_ID");
    ASSERT_TRUE(wait_lines(kWorkers));
    std::size_t at = 0;
    for (Process& worker : runs) {
        if (at++ >= kStay) worker.signal(SIGTERM);
    }
    for (Process& worker : runs) expect_exit(worker, 0, 60s);
    std::map<std::string, std::size_t> seen;
    for (const Line& line : lines()) ++seen[line.at(0) + line.at(1)];
    EXPECT_EQ(seen.size(), 2 * 40U) << "some were interrupted";
    for (const auto& [what, times] : seen) EXPECT_EQ(times, 1U) << what;
    EXPECT_EQ(queue.stats()->redelivered, 0U);
    EXPECT_EQ(queue.stats()->nacked, 0U);
}

TEST_F(WorkerStopped, more_commands_than_the_first_limit_of_descriptors_allows) {
    Queue queue = make_queue();
    put(queue, std::vector<std::string>(40, "work"));
    descriptors = {64, 4'096};
    Process& worker = run_script({"-T", "40", "--exit-on", "idle:200ms"}, "log $(ulimit -Sn); sleep 0.5");
    expect_exit(worker, 0);
    EXPECT_EQ(queue.stats()->acked, 40U) << worker.errors();
    EXPECT_EQ(queue.stats()->nacked, 0U);
    EXPECT_EQ(words(0), std::set<std::string>{"64"}) << "commands get the limit that the worker had";
}

TEST_F(WorkerStopped, its_http_port_tells_whether_it_takes_messages) {
    Queue queue = make_queue();
    const std::uint16_t port = free_port();
    const auto ready = [port](int status) {
        return eventually(
            20s, [=] { return http_get(port, "/readyz").status == status; }, 20ms);
    };
    Process& worker =
        run_script({"--exit-on", "never", "--http", "127.0.0.1:" + std::to_string(port)}, "log $TELPHER_ID; sleep 2");
    EXPECT_TRUE(ready(200)) << worker.errors();
    broker.kill();
    EXPECT_TRUE(ready(503)) << "there is no broker";
    broker.start();
    EXPECT_TRUE(ready(200)) << "there is again";
    put(queue, {"work"});
    ASSERT_TRUE(wait_lines(1)) << worker.errors();
    worker.signal(SIGTERM);
    EXPECT_TRUE(ready(503)) << "it drains";
    expect_exit(worker, 0);
}

TEST_F(WorkerStopped, handlers_do_not_get_the_connections_of_its_http_port) {
    Queue queue = make_queue();
    const std::uint16_t port = free_port();
    Process& worker =
        run_script({"--max-messages", "1", "--exit-on", "never", "--http", "127.0.0.1:" + std::to_string(port)},
                   "log $(ls -l /proc/self/fd | grep -c socket:)");
    ASSERT_TRUE(eventually(20s, [&] { return http_get(port, "/livez").status == 200; })) << worker.errors();
    std::vector<ZmtpPeer> peers;
    for (int i = 0; i < 4; ++i) {
        peers.emplace_back("tcp://127.0.0.1:" + std::to_string(port));
        ASSERT_TRUE(peers.back().send_raw("GET /half"));
    }
    put(queue, {"1", "2", "3", "4"});  // each by another process
    ASSERT_TRUE(wait_lines(4)) << worker.errors();
    EXPECT_EQ(words(0), std::set<std::string>{"0"});
    worker.signal(SIGTERM);
    expect_exit(worker, 0);
}

TEST_F(WorkerStopped, before_it_had_a_broker) {
    broker.kill();
    Process& worker = run_script({}, "true");
    ASSERT_TRUE(eventually(10s, [&] { return !children_of(worker.pid()).empty(); }));
    const Stopwatch watch;
    worker.signal(SIGTERM);
    expect_exit(worker, 0);
    EXPECT_LT(watch.elapsed(), 4s);
    broker.start();
}

TEST_F(WorkerStopped, at_work_is_not_idle) {
    Queue queue = make_queue();
    put(queue, {"1", "2", "3"});
    Process& worker = run_script({"--exit-on", "idle:300ms"}, "sleep 0.6; log $TELPHER_ID");
    expect_exit(worker, 0);
    EXPECT_EQ(lines().size(), 3U);
    EXPECT_EQ(queue.stats()->acked, 3U);
}

TEST_F(WorkerStopped, what_outlasts_the_drain_goes_back_without_blame) {
    Queue queue = make_queue();
    put(queue, {"work"});
    Process& worker = run_script({"--drain", "300ms"}, "log $TELPHER_ID $$; sleep 600");
    ASSERT_TRUE(wait_lines(1)) << worker.errors();
    worker.signal(SIGTERM);
    expect_exit(worker, 0);
    EXPECT_FALSE(alive(lines()[0].at(1)));
    const auto peeked = queue.peek(1);
    ASSERT_TRUE(peeked && peeked->size() == 1);
    EXPECT_EQ(peeked->front().attempts, 0U);
    EXPECT_EQ(peeked->front().state, Peeked::State::kReady);
}

TEST_F(WorkerStopped, of_a_library_too_and_at_once) {
    Queue queue = make_queue();
    put(queue, {"hang"});
    Process& worker = run({"--so", program("telpher-crash-handler.so"), "--drain", "300ms"});
    ASSERT_TRUE(eventually(10s, [&] { return queue.stats()->leased == 1; })) << worker.errors();
    worker.signal(SIGTERM);
    expect_exit(worker, 0);
    const auto peeked = queue.peek(1);
    ASSERT_TRUE(peeked && peeked->size() == 1);
    EXPECT_EQ(peeked->front().attempts, 0U);
    EXPECT_EQ(peeked->front().state, Peeked::State::kReady) << "its heir gave it back, nobody waited for the grace";
}

TEST_F(WorkerStopped, a_second_signal_ends_it_now) {
    Queue queue = make_queue();
    put(queue, {"work"});
    Process& worker = run_script({}, "log $TELPHER_ID $$; sleep 600");
    ASSERT_TRUE(wait_lines(1)) << worker.errors();
    worker.signal(SIGTERM);
    pass_time(400ms);  // what comes sooner is the same request
    worker.signal(SIGTERM);
    expect_exit(worker, 143);
    EXPECT_TRUE(eventually(5s, [&] { return !alive(lines()[0].at(1)); }));
}

TEST_F(WorkerStopped, a_hangup_replaces_the_workers_one_by_one) {
    Queue queue = make_queue();
    Process& worker = run_script({"-P", "2", "--exit-on", "never"}, "log $PPID; sleep 0.05");
    const auto feed_until = [&](std::size_t processes) {
        return eventually(30s, [&] {
            EXPECT_TRUE(queue.put("work").has_value());
            EXPECT_TRUE(queue.put("work").has_value());
            return words(0).size() >= processes;
        });
    };
    ASSERT_TRUE(feed_until(2)) << worker.errors();
    const std::set<std::string> before = words(0);
    worker.signal(SIGHUP);
    ASSERT_TRUE(feed_until(4)) << worker.errors();
    for (const std::string& pid : before) EXPECT_TRUE(eventually(10s, [&] { return !alive(pid); })) << pid;
    EXPECT_EQ(words(0).size(), 4U);
    ASSERT_TRUE(queue.wait_idle(Millis(20'000)).has_value());
    EXPECT_EQ(queue.stats()->nacked, 0U);
    worker.signal(SIGTERM);
    expect_exit(worker, 0);
}

TEST_F(WorkerStopped, a_worker_is_replaced_after_so_many_messages) {
    Queue queue = make_queue();
    put(queue, std::vector<std::string>(20, "work"));
    ASSERT_TRUE(queue.seal().has_value());
    Process& worker = run_script({"--max-messages", "5"}, "log $PPID $TELPHER_ID");
    expect_exit(worker, 0);
    std::map<std::string, int> handled;
    for (const Line& line : lines()) ++handled[line.at(0)];
    EXPECT_EQ(lines().size(), 20U);
    EXPECT_GE(handled.size(), 4U);
    for (const auto& [pid, count] : handled) EXPECT_LE(count, 5) << pid;
}

TEST_F(WorkerStopped, what_needs_something_that_is_away_waits_longer_each_time) {
    Queue queue = make_queue();
    put(queue, {"a", "b", "c"});
    ASSERT_TRUE(queue.seal().has_value());
    const std::string up = (broker.dir() / "up").string();
    const std::string lines_of = "log $TELPHER_ATTEMPT $(($(date +%s%N) / 1000000)) ";
    Process& worker =
        run_script({}, "if test -e " + up + "; then " + lines_of + "done; else " + lines_of + "away; exit 69; fi");
    ASSERT_TRUE(wait_lines(3)) << worker.errors();
    std::ofstream(up) << "up";
    expect_exit(worker, 0);
    const auto all = lines();
    EXPECT_GE(std::stoll(all[1].at(1)) - std::stoll(all[0].at(1)), 950);
    EXPECT_GE(std::stoll(all[2].at(1)) - std::stoll(all[1].at(1)), 1'900);
    for (const Line& line : all) EXPECT_EQ(line.at(0), "1") << "nobody is to blame";
    EXPECT_EQ(queue.stats()->nacked, 0U);
}

TEST_F(WorkerStopped, a_command_that_cannot_be_executed_burns_nothing) {
    Queue queue = make_queue();
    put(queue, {"a", "b"});
    expect_exit(run({"-P", "2", "--", "/no/such/program"}), 78);
    expect_exit(run_script({}, "exit 127"), 78);
    EXPECT_TRUE(eventually(5s, [&] { return queue.stats()->ready == 2; }));
    EXPECT_EQ(queue.stats()->nacked, 0U);
}

TEST_F(WorkerStopped, how_a_command_ends_is_the_verdict) {
    QueueOptions options;
    options.max_attempts = 3;
    options.backoff = Millis(10);
    Queue queue = make_queue(options);
    put(queue, {"0", "65", "100", "75", "1", "42", "43"});
    ASSERT_TRUE(queue.seal().has_value());
    Process& worker =
        run_script({"-T", "2", "--exit-map", "42=dead,43=ack"},
                   "read -r x; log $x $TELPHER_ATTEMPT/$TELPHER_MAX_ATTEMPTS; echo because $x >&2; exit $x");
    expect_exit(worker, 3);
    std::multimap<std::string, std::string> tries;
    for (const Line& line : lines()) tries.emplace(line.at(0), line.at(1));
    for (const char* once : {"0", "65", "100", "42", "43"}) EXPECT_EQ(tries.count(once), 1U) << once;
    for (const char* again : {"75", "1"}) EXPECT_EQ(tries.count(again), 3U) << again;
    EXPECT_EQ(tries.find("0")->second, "1/3");
    const auto dead = queue.peek(100, 0, Millis(10'000), Peeked::State::kDead);
    ASSERT_TRUE(dead.has_value());
    std::map<std::string, std::string> reasons;
    for (const Peeked& letter : *dead) reasons[letter.body] = letter.reason;
    EXPECT_EQ(reasons, (std::map<std::string, std::string>{{"65", "exit 65: because 65"},
                                                           {"100", "exit 100: because 100"},
                                                           {"75", "exit 75: because 75"},
                                                           {"1", "exit 1: because 1"},
                                                           {"42", "exit 42: because 42"}}));
}

TEST_F(WorkerStopped, a_stream_gets_all_of_its_thread) {
    Queue queue = make_queue();
    put(queue, std::vector<std::string>(200, "work"));
    ASSERT_TRUE(queue.seal().has_value());
    Process& worker = run_script(
        {"-T", "2", "--stream"},
        R"(while read -r line; do id=${line#*\"id\":}; id=${id%%,*}; log $id $$; echo "{\"id\":$id,\"verdict\":\"ack\"}"; done)");
    expect_exit(worker, 0);
    EXPECT_EQ(lines().size(), 200U);
    EXPECT_EQ(words(0).size(), 200U);
    EXPECT_EQ(words(1).size(), 2U);
}

TEST_F(WorkerStopped, a_long_handler_keeps_its_lease_but_a_frozen_worker_does_not) {
    QueueOptions options;
    options.lease = Millis(1'000);
    Queue queue = make_queue(options);
    put(queue, {"long"});
    Process& worker = run_script({"--exit-on", "never"}, "log $PPID begin; sleep 6; log $PPID end");
    ASSERT_TRUE(wait_lines(2)) << worker.errors();
    EXPECT_EQ(lines().size(), 2U) << "handled more than once";
    ASSERT_TRUE(queue.wait_idle(Millis(5'000)).has_value());
    EXPECT_EQ(queue.stats()->redelivered, 0U);

    put(queue, {"frozen"});
    ASSERT_TRUE(wait_lines(3)) << worker.errors();
    signal(lines()[2].at(0), SIGSTOP);
    run_script({"--exit-on", "never"}, "log $PPID begin");
    EXPECT_TRUE(wait_lines(4)) << "the lease of the frozen worker does not end";
    signal(lines()[2].at(0), SIGKILL);
}

}  // namespace
}  // namespace telpher::test
