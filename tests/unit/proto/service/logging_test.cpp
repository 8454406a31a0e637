// The log as a whole, written to a pipe in the place of stderr.
#include "proto/service/logging.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>
#include <sstream>

#include "proto/service/log_line.h"
#include "tests/support/deadline.h"

namespace telpher::service {
namespace {

using namespace std::chrono_literals;

/// stderr is this pipe while the object lives.
class PipedErrors {
public:
    PipedErrors() : before_(::dup(STDERR_FILENO)) {
        EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0);
        EXPECT_GE(::dup2(ends_[1], STDERR_FILENO), 0);
    }
    PipedErrors(const PipedErrors&) = delete;
    PipedErrors& operator=(const PipedErrors&) = delete;
    ~PipedErrors() {
        restore();
        ::close(ends_[0]);
    }
    void restore() {
        if (before_ < 0) return;
        ::dup2(before_, STDERR_FILENO);
        ::close(before_);
        ::close(ends_[1]);
        before_ = -1;
    }
    /// What there is until `wanted` was among it, at most 10 s.
    std::string read_until(const std::string& wanted) {
        const test::Deadline deadline(10s);
        std::string text;
        std::array<char, 4096> buffer{};
        while (text.find(wanted) == std::string::npos && !deadline.passed()) {
            pollfd wait{ends_[0], POLLIN, 0};
            if (::poll(&wait, 1, deadline.left_ms()) <= 0) break;
            const auto got = ::read(ends_[0], buffer.data(), buffer.size());
            if (got <= 0) break;
            text.append(buffer.data(), static_cast<std::size_t>(got));
        }
        return text;
    }

private:
    int before_;
    std::array<int, 2> ends_{-1, -1};
};

TEST(Logging, a_reader_that_does_not_read_stops_nobody_and_learns_what_it_missed) {
    PipedErrors errors;
    start_logging("test", LogFormat::kJson, spdlog::level::info);
    const test::Stopwatch watch;
    for (int i = 0; i < 20'000; ++i) log_line(spdlog::level::info, "line", "line " + std::to_string(i));
    EXPECT_LT(watch.elapsed(), 20s) << "nobody waited";
    EXPECT_GT(dropped_log_lines(), 10'000U);
    report_dropped_log_lines();  // the log is full: not now
    const std::string text = errors.read_until("line 19999");
    report_dropped_log_lines();
    const std::uint64_t dropped = dropped_log_lines();
    log_line(spdlog::level::info, "last", "the last");
    const std::string rest = errors.read_until("the last");
    stop_logging(10s);
    errors.restore();
    std::istringstream lines(text + rest);
    std::size_t written = 0;
    std::string missed;
    for (std::string line; std::getline(lines, line);) {
        const auto json = nlohmann::json::parse(line);
        if (json["event"] == "line") ++written;
        if (json["event"] == "log.dropped") missed = json["count"];
    }
    EXPECT_EQ(written + dropped, 20'000U) << "written or counted";
    EXPECT_EQ(missed, std::to_string(dropped));
}

TEST(Logging, the_end_waits_for_no_reader) {
    PipedErrors errors;
    start_logging("test", LogFormat::kText, spdlog::level::info);
    for (int i = 0; i < 3'000; ++i) log_line(spdlog::level::info, "line", std::string(200, 'x'));
    log_line(spdlog::level::info, "line", "the last");
    const test::Stopwatch watch;
    stop_logging(50ms);
    EXPECT_LT(watch.elapsed(), 5s);
    EXPECT_NE(errors.read_until("the last"), "");
    stop_logging(10s);  // its thread ends before this program does
}

TEST(Logging, auto_is_what_stderr_leads_to) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    struct stat found {};
    ASSERT_EQ(::fstat(ends[1], &found), 0);
    const std::string journal = std::to_string(found.st_dev) + ":" + std::to_string(found.st_ino);
    EXPECT_EQ(choose_format(LogFormat::kAuto, journal.c_str(), ends[1]), LogFormat::kJournal);
    EXPECT_EQ(choose_format(LogFormat::kAuto, "1:2", ends[1]), LogFormat::kJson) << "inherited, but led elsewhere";
    EXPECT_EQ(choose_format(LogFormat::kAuto, nullptr, ends[1]), LogFormat::kJson);
    EXPECT_EQ(choose_format(LogFormat::kText, journal.c_str(), ends[1]), LogFormat::kText);
    const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ASSERT_GE(terminal, 0);
    EXPECT_EQ(choose_format(LogFormat::kAuto, journal.c_str(), terminal), LogFormat::kText);
    ::close(terminal);
    ::close(ends[0]);
    ::close(ends[1]);
}

}  // namespace
}  // namespace telpher::service
