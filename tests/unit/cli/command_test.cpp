#include <gtest/gtest.h>

#include <vector>

#include "proto/command/exit.h"
#include "proto/command/output.h"
#include "proto/command/program.h"
#include "proto/command/queue_flags.h"

namespace telpher::command {
namespace {

TEST(Exit, StatusTellsAScriptWhatToDo) {
    EXPECT_EQ(exit_status(Code::kOk), 0);
    EXPECT_EQ(exit_status(Code::kEmpty), 2);
    EXPECT_EQ(exit_status(Code::kUsage), 64);
    EXPECT_EQ(exit_status(Code::kBadName), 64);
    EXPECT_EQ(exit_status(Code::kUnreachable), 69);
    EXPECT_EQ(exit_status(Code::kFull), 75);
    EXPECT_EQ(exit_status(Code::kTimeout), 75);
    EXPECT_EQ(exit_status(Code::kBusy), 75);
    EXPECT_EQ(exit_status(Code::kDenied), 77);
    EXPECT_EQ(exit_status(Code::kAuth), 77);
    EXPECT_EQ(exit_status(Code::kConfig), 78);
    EXPECT_EQ(exit_status(Code::kNotFound), 1);
    EXPECT_EQ(exit_status(Code::kLost), 1);
    EXPECT_EQ(exit_status(Code::kSealed), 1);
}

TEST(Exit, ErrorLineHasCodeWhatAndHint) {
    EXPECT_EQ(error_line(Error(Code::kFull, "jobs"), "wait"),
              "telpher: E_QUEUE_FULL: the queue is full and rejects puts: jobs: wait");
    EXPECT_TRUE(error_line(Error(Code::kUnreachable, "ipc:///nowhere")).starts_with("telpher: E_UNREACHABLE: "));
    EXPECT_TRUE(error_line(Error(Code::kUnreachable)).ends_with("-s URL or TELPHER_SERVER choose another broker"));
}

TEST(QueueFlags, ReadsAList) {
    const auto options =
        parse_queue_options("maxsize=50,max_bytes=1MiB,on-full=drop-oldest,durability=memory,lease=30s");
    ASSERT_TRUE(options);
    EXPECT_EQ(options->maxsize, 50U);
    EXPECT_EQ(options->max_bytes, 1U << 20);
    EXPECT_EQ(options->on_full, OnFull::kDropOldest);
    EXPECT_EQ(options->durability, Durability::kMemory);
    EXPECT_EQ(options->lease, Millis(30'000));
}

TEST(QueueFlags, LeavesTheRestToTheBroker) {
    for (const std::string_view text : {std::string_view(""), kNoOptions}) {
        const auto options = parse_queue_options(text);
        ASSERT_TRUE(options);
        EXPECT_FALSE(options->maxsize || options->max_bytes || options->on_full || options->durability ||
                     options->lease);
    }
}

TEST(QueueFlags, RefusesWhatItDoesNotKnow) {
    for (const char* text :
         {"maxsize", "maxsize=", "maxsize=x", "maxsize=-1", "size=5", "on-full=wait", "durability=ssd", "lease=5"}) {
        const auto options = parse_queue_options(text);
        ASSERT_FALSE(options) << text;
        EXPECT_EQ(options.error().code(), Code::kUsage) << text;
    }
}

TEST(QueueFlags, NamesAreWhatIsRead) {
    EXPECT_EQ(name_of(OnFull::kReject), "reject");
    EXPECT_EQ(name_of(Durability::kFsync), "fsync");
}

TEST(Table, AlignsTextLeftAndNumbersRight) {
    Table table({"NAME", "READY"});
    table.add({"jobs", "12"});
    table.add({"mail.out", "1,234"});
    EXPECT_EQ(table.text(false),
              "NAME      READY\n"
              "jobs         12\n"
              "mail.out  1,234\n");
    EXPECT_EQ(table.text(true).substr(0, 4), "\x1b[1m");
}

class Parse : public ::testing::Test {
protected:
    int run(std::vector<const char*> words) {
        words.insert(words.begin(), "telpher");
        ::testing::internal::CaptureStderr();
        ::testing::internal::CaptureStdout();
        const int status = program_.main(static_cast<int>(words.size()), words.data());
        errors_ = ::testing::internal::GetCapturedStderr();
        output_ = ::testing::internal::GetCapturedStdout();
        return status;
    }

    Parse() {
        CLI::App* put = program_.app().add_subcommand("put", "");
        put->add_option("QUEUE", queue_)->required();
        put->add_option("BODY", body_);
        put->add_option("--create", create_);
        program_.on(*put, [] { return 42; });
    }

    Program program_{"telpher", "test"};
    std::string queue_, body_, create_, errors_, output_;
};

TEST_F(Parse, GlobalFlagsMayFollowTheCommand) {
    EXPECT_EQ(run({"put", "jobs", "hello", "-s", "tcp://h:1", "--timeout", "2s", "-o", "json"}), 42);
    EXPECT_EQ(program_.globals().server, "tcp://h:1");
    EXPECT_EQ(program_.globals().timeout, Millis(2000));
    EXPECT_EQ(program_.globals().output, Format::kJson);
    EXPECT_EQ(body_, "hello");
}

TEST_F(Parse, EveryUsageErrorIs64) {
    for (const std::vector<const char*>& words :
         std::vector<std::vector<const char*>>{{},
                                               {"put"},
                                               {"fly"},
                                               {"put", "q", "--nonsense"},
                                               {"put", "q", "--timeout", "soon"},
                                               {"put", "q", "-o", "xml"},
                                               {"put", "q", "b", "c"},
                                               {"put", "q", "--timeout"},
                                               {"put", "q", "--color", "blue"}}) {
        EXPECT_EQ(run(words), 64);
        EXPECT_TRUE(errors_.starts_with("telpher: E_USAGE: ")) << errors_;
        EXPECT_EQ(std::count(errors_.begin(), errors_.end(), '\n'), 1) << errors_;
    }
}

TEST_F(Parse, HelpAndVersionAreNoErrors) {
    EXPECT_EQ(run({"put", "--help"}), 0);
    EXPECT_NE(output_.find("QUEUE"), std::string::npos);
    EXPECT_EQ(run({"--version"}), 0);
    EXPECT_TRUE(output_.starts_with("telpher 0.")) << output_;
    EXPECT_EQ(run({"--version", "-o", "json"}), 0);
    EXPECT_NE(output_.find("\"protocol\":1"), std::string::npos) << output_;
}

TEST_F(Parse, CreateTakesTheNextWordOnlyIfItIsAnAssignment) {
    EXPECT_EQ(run({"put", "q", "--create", "maxsize=50", "body"}), 42);
    EXPECT_EQ(create_, "maxsize=50");
    EXPECT_EQ(body_, "body");
    EXPECT_EQ(run({"put", "q", "--create", "body"}), 42);
    EXPECT_EQ(create_, kNoOptions);
    EXPECT_EQ(body_, "body");
    EXPECT_EQ(run({"put", "q", "body", "--create"}), 42);
    EXPECT_EQ(run({"put", "--create", "q", "body"}), 42);
    EXPECT_EQ(queue_, "q");
    EXPECT_EQ(run({"put", "q", "body", "--create", "--timeout=2s"}), 42);
    EXPECT_EQ(create_, kNoOptions);
}

}  // namespace
}  // namespace telpher::command
