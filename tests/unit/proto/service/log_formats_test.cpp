#include "proto/service/log_formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "proto/service/journald_sink.h"
#include "proto/service/log_line.h"

namespace telpher::service {
namespace {

using testing::Contains;
using testing::HasSubstr;

/// Keeps what log_line() gives to spdlog.
class Kept final : public spdlog::sinks::base_sink<std::mutex> {
public:
    std::vector<std::string> payloads;

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        payloads.emplace_back(message.payload.data(), message.payload.size());
    }
    void flush_() override {}
};

class LogFormats : public testing::Test {
protected:
    LogFormats() : before_(spdlog::default_logger()) {
        spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", kept_));
    }
    ~LogFormats() override { spdlog::set_default_logger(before_); }

    static std::string format(spdlog::formatter& formatter, const std::string& payload) {
        const auto time = spdlog::log_clock::time_point(std::chrono::milliseconds(1'700'000'000'007));
        const spdlog::details::log_msg message(time, {}, "telpherd", spdlog::level::warn, payload);
        spdlog::memory_buf_t out;
        formatter.format(message, out);
        return {out.data(), out.size()};
    }

    std::shared_ptr<Kept> kept_ = std::make_shared<Kept>();
    std::shared_ptr<spdlog::logger> before_;
};

TEST_F(LogFormats, a_line_is_taken_apart_again) {
    log_line(spdlog::level::info, "queue.full", "jobs is full",
             {{"queue",
               "jo\x1f"
               "bs"},
              {"count", "a=b"}});
    ASSERT_EQ(kept_->payloads.size(), 1U);
    const LogLine line = split_line(kept_->payloads[0]);
    EXPECT_EQ(line.text, "jobs is full");
    EXPECT_EQ(line.fields, (std::vector<Field>{{"event", "queue.full"}, {"queue", "jo bs"}, {"count", "a=b"}}));
    EXPECT_EQ(split_line("plain").text, "plain");
    EXPECT_TRUE(split_line("plain").fields.empty());
}

TEST_F(LogFormats, what_is_below_the_level_costs_nothing) {
    log_line(spdlog::level::debug, "x", "y");
    EXPECT_TRUE(kept_->payloads.empty());
}

TEST_F(LogFormats, json_is_valid_whatever_the_text_holds) {
    JsonFormatter formatter;
    const std::string text = "a \"quote\", a \\ backslash,\na new line, \xff no UTF-8, {} %v";
    log_line(spdlog::level::warn, "odd", text, {{"queue", "q\"\n"}});
    const std::string out = format(formatter, kept_->payloads.at(0));
    EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1) << "one line";
    const auto json = nlohmann::json::parse(out);
    EXPECT_EQ(json["time"], "2023-11-14T22:13:20.007Z");
    EXPECT_EQ(json["level"], "warning");
    EXPECT_EQ(json["program"], "telpherd");
    EXPECT_EQ(json["event"], "odd");
    EXPECT_EQ(json["queue"], "q\"\n");
    EXPECT_EQ(json["message"], "a \"quote\", a \\ backslash,\na new line, \ufffd no UTF-8, {} %v");
}

TEST_F(LogFormats, text_is_one_line) {
    TextFormatter formatter;
    log_line(spdlog::level::warn, "odd", "first\nsecond\x1b[31m", {{"queue", "jobs"}});
    const std::string out = format(formatter, kept_->payloads.at(0));
    EXPECT_THAT(out, HasSubstr(" warning telpherd first\\x0asecond\\x1b[31m\n"));
    EXPECT_THAT(out, testing::StartsWith("2023-11-1"));
    EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1);
}

TEST_F(LogFormats, the_journal_gets_fields) {
    log_line(spdlog::level::err, "queue.full", "jobs is full", {{"queue", "jobs"}});
    const std::string payload = kept_->payloads.at(0);
    const auto fields = journal_fields(spdlog::details::log_msg("telpherd", spdlog::level::err, payload));
    for (const char* field : {"MESSAGE=jobs is full", "PRIORITY=3", "SYSLOG_IDENTIFIER=telpherd",
                              "TELPHER_EVENT=queue.full", "TELPHER_QUEUE=jobs"}) {
        EXPECT_THAT(fields, Contains(field));
    }
}

}  // namespace
}  // namespace telpher::service
