// A broker, a queue, and `telpher run` on it, for the tests that kill, stop and scale workers. Used by one thread.
#pragma once

#include <gtest/gtest.h>
#include <telpher/client.h>

#include <csignal>
#include <fstream>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/broker.h"
#include "tests/support/deadline.h"

namespace telpher::test {

class WorkerTest : public testing::Test {
protected:
    /// What handlers wrote about one handling: the words of a line.
    using Line = std::vector<std::string>;

    Queue make_queue(const QueueOptions& options = {}) { return client.queue("jobs", options); }

    static void put(Queue& queue, const std::vector<std::string>& bodies) {
        const std::vector<std::string_view> views(bodies.begin(), bodies.end());
        ASSERT_TRUE(queue.put_many(views).has_value());
    }

    /// `telpher run jobs ...`; handlers know the log as $TELPHER_TEST_LOG.
    Process& run(const std::vector<std::string>& args) {
        std::vector<std::string> words{"run", "jobs", "-s", broker.ipc()};
        words.insert(words.end(), args.begin(), args.end());
        ProcessOptions options;
        options.descriptors = descriptors;
        options.env["TELPHER_TEST_LOG"] = log();
        options.cwd = broker.dir();
        return runs.emplace_back(program("telpher"), words, options);
    }
    /// The same with a script for every message, in which `log` writes its words to the log.
    Process& run_script(std::vector<std::string> args, const std::string& script) {
        for (const char* word : {"--", "sh", "-c"}) args.emplace_back(word);
        args.push_back("log() { echo \"$*\" >>\"$TELPHER_TEST_LOG\"; }; " + script);
        return run(args);
    }

    [[nodiscard]] std::string log() const { return (broker.dir() / "log").string(); }
    [[nodiscard]] std::vector<Line> lines() const {
        std::ifstream file(log());
        std::vector<Line> lines;
        for (std::string text; std::getline(file, text) && !file.eof();) {
            std::istringstream words(text);
            Line& line = lines.emplace_back();
            for (std::string word; words >> word;) line.push_back(word);
        }
        return lines;
    }
    /// The words number `at` of all lines.
    [[nodiscard]] std::set<std::string> words(std::size_t at) const {
        std::set<std::string> words;
        for (const Line& line : lines()) {
            if (line.size() > at) words.insert(line[at]);
        }
        return words;
    }
    [[nodiscard]] bool wait_lines(std::size_t count, Duration limit = 20s) const {
        return eventually(limit, [&] { return lines().size() >= count; });
    }
    static void signal(const std::string& pid, int number) { ::kill(std::stoi(pid), number); }

    Broker broker;
    Client client{broker.ipc()};
    std::list<Process> runs;
    std::optional<ProcessOptions::Descriptors> descriptors;  ///< What workers may open; nullopt: as much as we.
};

}  // namespace telpher::test
