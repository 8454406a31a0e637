// Handlers of workers crash: by a signal, by too much memory, by hanging, by ending their process.
//
// Claim: the message whose handler crashed is blamed (its attempt counts, with the reason), every other one is done
// exactly once, and the worker is replaced so soon that none is missing for a second.
#include "tests/e2e/worker_fixture.h"

#include <gmock/gmock.h>

#include "tests/support/http_request.h"

namespace telpher::test {
namespace {

using testing::HasSubstr;

constexpr std::size_t kMessages = 10'000;
constexpr std::size_t kSegv = 3'333;
constexpr std::size_t kRss = 6'666;

class WorkerCrashed : public WorkerTest {
protected:
    void fill(Queue& queue, std::size_t count, const std::map<std::size_t, std::string>& bad) {
        std::vector<std::string> bodies(count, "work");
        for (const auto& [at, body] : bad) bodies[at] = body;
        ASSERT_NO_FATAL_FAILURE(put(queue, bodies));
        ASSERT_TRUE(queue.seal().has_value());
    }

    /// Every message is in the log once, at its first attempt, but for the `bad` ones, which are not in it.
    void expect_done_once(std::size_t count, const std::map<std::size_t, std::string>& bad) {
        std::map<std::size_t, std::vector<std::string>> attempts;
        for (const Line& line : lines()) attempts[std::stoul(line.at(0))].push_back(line.at(1));
        EXPECT_EQ(attempts.size(), count - bad.size());
        std::size_t repeated = 0;
        for (const auto& [id, seen] : attempts) {
            EXPECT_FALSE(bad.contains(id)) << "message " << id;
            EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()), std::set<std::string>{"1"}) << "message " << id;
            repeated += seen.size() - 1;
        }
        // A crash may come between the work of a neighbour and its verdict: nobody can know that it was done.
        EXPECT_LE(repeated, 1U);
    }

    /// The `bad` ones, and nobody else, are dead letters, with such a beginning of their reason.
    static void expect_blamed(Queue& queue, const std::map<std::size_t, std::string>& bad) {
        const auto dead = queue.peek(100, 0, Millis(10'000), Peeked::State::kDead);
        ASSERT_TRUE(dead.has_value());
        EXPECT_EQ(dead->size(), bad.size());
        for (const Peeked& letter : *dead) {
            const auto found = bad.find(letter.id);
            ASSERT_NE(found, bad.end()) << "message " << letter.id << ": " << letter.reason;
            EXPECT_TRUE(letter.reason.starts_with(found->second)) << letter.reason;
            EXPECT_EQ(letter.cause, DeathCause::kAttempts);
        }
    }

    /// One attempt, so that who is blamed is dead.
    Queue make_strict_queue() {
        QueueOptions options;
        options.maxsize = kMessages;
        options.max_attempts = 1;
        return make_queue(options);
    }

    /// In every second between the first and the last line at least `processes` of them wrote one.
    void expect_no_empty_slot(std::size_t processes) {
        std::multimap<std::int64_t, std::string> by_time;
        for (const Line& line : lines()) by_time.emplace(std::stoll(line.at(3)), line.at(2));
        ASSERT_FALSE(by_time.empty());
        const std::int64_t end = by_time.rbegin()->first - 1'500;  // then there is not work for all
        for (std::int64_t from = by_time.begin()->first; from < end; from += 50) {
            std::set<std::string> seen;
            for (auto at = by_time.lower_bound(from); at != by_time.end() && at->first < from + 1'000; ++at)
                seen.insert(at->second);
            ASSERT_GE(seen.size(), processes) << "from ms " << from - by_time.begin()->first;
        }
    }
};

TEST_F(WorkerCrashed, those_two_alone_are_blamed) {
    Queue queue = make_strict_queue();
    fill(queue, kMessages, {{kSegv, "segv"}, {kRss, "rss"}});
    Process& worker =
        run({"--so", program("telpher-crash-handler.so"), "-P", "2", "-T", "4", "--max-child-rss", "512MiB"});
    const auto ended = worker.wait(100s);
    ASSERT_TRUE(ended) << worker.errors();
    EXPECT_TRUE(ended->exited(3)) << ended->text() << worker.errors();
    const std::map<std::size_t, std::string> blamed{{kSegv, "crashed: SIGSEGV"}, {kRss, "RSS limit of 512"}};
    expect_done_once(kMessages, blamed);
    expect_blamed(queue, blamed);
    expect_no_empty_slot(2);
    EXPECT_NE(worker.errors().find("message 3333: crashed: SIGSEGV"), std::string::npos) << worker.errors();
    EXPECT_NE(worker.errors().find("message 6666: RSS limit of 512"), std::string::npos) << worker.errors();
}

TEST_F(WorkerCrashed, the_metrics_of_the_worker_tell_of_it) {
    Queue queue = make_strict_queue();
    fill(queue, 400, {{100, "segv"}});
    const std::uint16_t port = free_port();
    Process& worker = run({"--so", program("telpher-crash-handler.so"), "-P", "2", "-T", "4", "--exit-on", "never",
                           "--http", "127.0.0.1:" + std::to_string(port)});
    ASSERT_TRUE(eventually(30s, [&] { return queue.stats()->dead == 1 && queue.stats()->acked == 399; }))
        << worker.errors();
    ASSERT_TRUE(eventually(10s, [&] { return http_get(port, "/readyz").status == 200; })) << worker.errors();
    const std::string page = http_get(port, "/metrics").body;
    EXPECT_THAT(page, HasSubstr("telpher_worker_crashes_total{queue=\"jobs\"} 1\n"));
    EXPECT_THAT(page, HasSubstr("telpher_worker_restarts_total{queue=\"jobs\",reason=\"crash\"} 1\n"));
    EXPECT_THAT(page, HasSubstr("telpher_worker_slots{queue=\"jobs\"} 8\n"));
    EXPECT_THAT(page, HasSubstr("telpher_worker_busy_slots{queue=\"jobs\"} 0\n"));
    const std::string acked = "telpher_worker_handler_seconds_count{queue=\"jobs\",outcome=\"acked\"} ";
    ASSERT_THAT(page, HasSubstr(acked));
    EXPECT_GE(std::stoul(page.substr(page.find(acked) + acked.size())), 399U);
    const std::filesystem::path file = broker.dir() / "worker.txt";
    std::ofstream(file) << page;
    const Finished checked = test::run(
        "/bin/sh", {"-c", "command -v promtool >/dev/null || exit 0; promtool check metrics <" + file.string()}, 30s);
    EXPECT_TRUE(checked.ended.ok()) << checked.output << checked.errors;
    worker.signal(SIGTERM);
    const auto ended = worker.wait(20s);
    EXPECT_TRUE(ended && ended->ok()) << worker.errors();
}

TEST_F(WorkerCrashed, a_library_that_forks_its_workers_blames_those_two_too) {
    constexpr std::size_t kFewer = 2'000;
    Queue queue = make_strict_queue();
    fill(queue, kFewer, {{500, "segv"}, {1'000, "rss"}, {1'500, "abort"}});
    ProcessOptions options;
    options.env["TELPHER_TEST_LOG"] = log();
    Process worker(program("telpher-test-run"), {broker.ipc(), "jobs", "2", "4", std::to_string(512 << 20)}, options);
    const auto ended = worker.wait(60s);
    ASSERT_TRUE(ended) << worker.errors();
    EXPECT_TRUE(ended->ok()) << ended->text() << worker.errors();
    EXPECT_NE(worker.output().find("E_END"), std::string::npos) << worker.output();
    const std::map<std::size_t, std::string> blamed{
        {500, "crashed: SIGSEGV"}, {1'000, "RSS limit of 512"}, {1'500, "crashed: SIGABRT"}};
    expect_done_once(kFewer, blamed);
    expect_blamed(queue, blamed);
}

TEST_F(WorkerCrashed, who_ran_beside_others_when_it_was_killed_runs_alone_until_one_is_found) {
    Queue queue = make_strict_queue();
    fill(queue, 400, {{100, "kill"}, {200, "exit"}});
    Process& worker = run({"--so", program("telpher-crash-handler.so"), "-P", "2", "-T", "4"});
    const auto ended = worker.wait(60s);
    ASSERT_TRUE(ended) << worker.errors();
    EXPECT_TRUE(ended->exited(3)) << ended->text() << worker.errors();
    const std::map<std::size_t, std::string> blamed{{100, "crashed: SIGKILL"},
                                                    {200, "crashed: ended its process with"}};
    expect_done_once(400, blamed);
    expect_blamed(queue, blamed);
}

TEST_F(WorkerCrashed, of_commands_the_two_alone_are_blamed) {
    constexpr std::size_t kFewer = 300;
    Queue queue = make_strict_queue();
    fill(queue, kFewer, {{100, "segv"}, {200, "rss"}});
    Process& worker = run_script({"-P", "2", "-T", "2", "--max-child-rss", "100MiB"},
                                 "body=$(cat); case $body in segv) kill -SEGV $$;; "
                                 "rss) head -c 300000000 /dev/zero | tail -c 300000000 | sleep 60;; "
                                 "*) log $TELPHER_ID $TELPHER_ATTEMPT $PPID $(($(date +%s%N) / 1000000));; esac");
    const auto ended = worker.wait(60s);
    ASSERT_TRUE(ended) << worker.errors();
    EXPECT_TRUE(ended->exited(3)) << ended->text() << worker.errors();
    const std::map<std::size_t, std::string> blamed{{100, "crashed: SIGSEGV"}, {200, "RSS limit of 100"}};
    expect_done_once(kFewer, blamed);
    expect_blamed(queue, blamed);
    EXPECT_EQ(words(2).size(), 2U) << "no worker died of its commands";
}

TEST_F(WorkerCrashed, one_that_hangs_is_ended_by_its_time_limit) {
    Queue queue = make_strict_queue();
    fill(queue, 100, {{50, "hang"}});
    Process& worker = run({"--so", program("telpher-crash-handler.so"), "-T", "4", "--time-limit", "1s"});
    const auto ended = worker.wait(60s);
    ASSERT_TRUE(ended) << worker.errors();
    EXPECT_TRUE(ended->exited(3)) << ended->text() << worker.errors();
    expect_done_once(100, {{50, {}}});
    expect_blamed(queue, {{50, "time limit of 1s"}});
    EXPECT_NE(worker.errors().find("message 50: time limit of 1s"), std::string::npos) << worker.errors();
}

TEST_F(WorkerCrashed, a_killed_worker_of_commands_leaves_nothing_behind_and_blames_nobody) {
    Queue queue = make_queue();
    put(queue, {"work"});
    Process& worker =
        run_script({"--exit-on", "never"},
                   "if test $TELPHER_DELIVERY = 1; then sleep 600 & log $TELPHER_ATTEMPT $PPID $$ $!; wait; "
                   "else log $TELPHER_ATTEMPT $PPID again; fi");
    ASSERT_TRUE(wait_lines(1)) << worker.errors();
    const Line first = lines()[0];
    signal(first.at(1), SIGKILL);
    ASSERT_TRUE(wait_lines(2)) << worker.errors();
    EXPECT_EQ(lines()[1].at(0), "1") << "the command did not fail";
    EXPECT_NE(lines()[1].at(1), first.at(1));
    for (const std::size_t at : {2, 3})
        EXPECT_TRUE(eventually(10s, [&] { return !alive(first.at(at)); })) << "process " << first.at(at);
    worker.signal(SIGTERM);
    const auto ended = worker.wait(20s);
    ASSERT_TRUE(ended) << worker.errors();
    EXPECT_TRUE(ended->ok()) << ended->text() << worker.errors();
}

TEST_F(WorkerCrashed, a_killed_supervisor_leaves_no_orphans) {
    Queue queue = make_queue();
    put(queue, {"a", "b"});
    Process& worker = run_script({"-P", "2", "--exit-on", "never"}, "log $PPID $$; sleep 1");
    ASSERT_TRUE(wait_lines(2)) << worker.errors();
    const auto started = lines();
    ::kill(worker.pid(), SIGKILL);  // not its group
    for (const Line& line : started) {
        for (const std::string& pid : line)
            EXPECT_TRUE(eventually(20s, [&] { return !alive(pid); })) << "process " << pid;
    }
    EXPECT_TRUE(eventually(5s, [&] { return queue.stats()->acked == 2; })) << "what ran came to its end";
}

TEST_F(WorkerCrashed, a_library_without_handler_is_a_bad_configuration) {
    Queue queue = make_queue();
    put(queue, {"work"});
    for (const char* library : {"/no/such/library.so", "libc.so.6"}) {
        Process& worker = run({"--so", library});
        const auto ended = worker.wait(20s);
        ASSERT_TRUE(ended) << worker.errors();
        EXPECT_TRUE(ended->exited(78)) << ended->text();
        EXPECT_NE(worker.errors().find("E_CONFIG"), std::string::npos) << worker.errors();
    }
    EXPECT_EQ(queue.stats()->ready, 1U);
}

}  // namespace
}  // namespace telpher::test
