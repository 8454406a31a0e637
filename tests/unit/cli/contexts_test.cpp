// Which broker and which key: flags, environment, contexts.
#include "proto/command/contexts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "proto/command/globals.h"
#include "telpher/client.h"
#include "tests/support/temp_dir.h"

namespace telpher::command {
namespace {

using testing::HasSubstr;

class ContextsTest : public testing::Test {
protected:
    ContextsTest() {
        for (const char* name : {"TELPHER_SERVER", "TELPHER_KEY_FILE", "TELPHER_CONTEXT"}) ::unsetenv(name);
        ::setenv("XDG_CONFIG_HOME", dir_.path().c_str(), 1);
    }
    ~ContextsTest() override {
        for (const char* name : {"TELPHER_SERVER", "TELPHER_KEY_FILE", "TELPHER_CONTEXT", "XDG_CONFIG_HOME"})
            ::unsetenv(name);
    }
    void keep(const Contexts& contexts) { ASSERT_TRUE(save_contexts(contexts_path().value(), contexts)); }
    static std::string chosen(const Globals& globals) {
        const ClientOptions options = globals.client_options();
        return options.server + " " + options.key_file;
    }

    test::TempDir dir_;
    const Contexts two_{"prod", {{"prod", {"tcp://prod:1", "/prod.key"}}, {"dev", {"ipc:///dev", ""}}}};
};

TEST_F(ContextsTest, what_is_saved_is_loaded) {
    EXPECT_EQ(load_contexts(contexts_path().value()).value(), Contexts{}) << "no file, no contexts";
    keep(two_);
    EXPECT_EQ(load_contexts(contexts_path().value()).value(), two_);
    keep(Contexts{});
    EXPECT_EQ(load_contexts(contexts_path().value()).value(), Contexts{});
}

TEST_F(ContextsTest, names_and_texts_of_any_bytes_are_loaded_as_they_were_saved) {
    const std::string odd = "a'b \"c\" \\ # [x]\n\x7f\x01 \u00e9";
    const Contexts contexts{odd, {{odd, {odd, odd}}, {"'", {"x", ""}}}};
    keep(contexts);
    EXPECT_EQ(load_contexts(contexts_path().value()).value(), contexts);
}

TEST_F(ContextsTest, without_any_the_library_decides) { EXPECT_EQ(chosen({}), " "); }

TEST_F(ContextsTest, a_flag_goes_before_the_environment_before_the_current_context) {
    keep(two_);
    EXPECT_EQ(chosen({}), "tcp://prod:1 /prod.key");
    ::setenv("TELPHER_CONTEXT", "dev", 1);
    EXPECT_EQ(chosen({}), "ipc:///dev ");
    ::setenv("TELPHER_SERVER", "tcp://env:1", 1);
    EXPECT_EQ(chosen({}), " ") << "the library reads that one";
    Globals flags;
    flags.context = "prod";
    EXPECT_EQ(chosen(flags), "tcp://prod:1 /prod.key");
    flags.server = "tcp://flag:1";
    EXPECT_EQ(chosen(flags), "tcp://flag:1 ") << "the key of a context is for its server";
}

TEST_F(ContextsTest, a_key_file_of_its_own_goes_before_that_of_the_context) {
    keep(two_);
    ::setenv("TELPHER_KEY_FILE", "/env.key", 1);
    EXPECT_EQ(chosen({}), "tcp://prod:1 ") << "the library reads that one";
    Globals flags;
    flags.context = "prod";
    EXPECT_EQ(chosen(flags), "tcp://prod:1 /prod.key") << "a flag goes first";
    flags.key_file = "/flag.key";
    EXPECT_EQ(chosen(flags), "tcp://prod:1 /flag.key");
}

TEST_F(ContextsTest, mistakes_are_named) {
    keep(two_);
    Globals flags;
    flags.context = "absent";
    EXPECT_THROW((void)flags.client_options(), Failure);
    std::ofstream(contexts_path().value()) << "[context.x]\nserver = 5\n";
    EXPECT_THAT(load_contexts(contexts_path().value()).error().detail(), HasSubstr(":2:"));
    std::ofstream(contexts_path().value()) << "[context.x]\nkey_file = \"x\"\n";
    EXPECT_THAT(load_contexts(contexts_path().value()).error().detail(), HasSubstr("needs its server"));
    EXPECT_THROW((void)Globals().client_options(), Failure);
    flags.server = "tcp://flag:1";
    EXPECT_NO_THROW((void)flags.client_options()) << "not even looked at";
}

}  // namespace
}  // namespace telpher::command
