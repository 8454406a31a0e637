// A process forks while it has a client: the child has no engine thread, and libzmq's own handles are dead in it.
//
// Claim: in the child every call on the parent's objects fails with E_FORKED, in time and without a hang or an abort; a
// client of its own works there; the parent goes on undisturbed.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <telpher/client.h>
#include <unistd.h>

#include "tests/support/broker.h"

namespace telpher::test {
namespace {

/// What the child finds wrong, as its exit status; 0 = nothing.
int in_the_child(Client& parents, Queue& queue, Message& message, const std::string& server) {
    const auto forked = [](const auto& result) { return !result && result.error().code() == Code::kForked; };
    if (!forked(queue.put("x"))) return 1;
    if (!forked(queue.get(Millis(0)))) return 2;
    if (!forked(queue.stats())) return 3;
    if (!forked(queue.flush())) return 4;
    if (!forked(parents.open("other"))) return 5;
    if (!forked(parents.status())) return 6;
    message.ack();  // the parent's lease: nothing happens
    Client own(server);
    auto mine = own.open("forked");
    if (!mine) return 7;
    if (!mine->put("from the child")) return 8;
    return 0;
}

TEST(ClientForked, fails_clearly_in_the_child_and_goes_on_in_the_parent) {
    Broker broker;
    Client client(broker.ipc());
    Queue queue = client.queue("forked");
    ASSERT_TRUE(queue.put("first").has_value());
    auto message = queue.get(Millis(10'000));
    ASSERT_TRUE(message.has_value()) << message.error().message();

    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) ::_exit(in_the_child(client, queue, *message, broker.ipc()));
    int status = 0;
    const bool ended = eventually(20s, [&] { return ::waitpid(child, &status, WNOHANG) == child; });
    if (!ended) {
        ::kill(child, SIGKILL);
        ::waitpid(child, &status, 0);
    }
    ASSERT_TRUE(ended) << "the child hangs";
    ASSERT_TRUE(WIFEXITED(status)) << "the child died by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0) << "the number of the first step that went wrong";

    EXPECT_TRUE(message->ack_confirmed(Millis(10'000)).has_value()) << "the lease is still the parent's";
    auto next = queue.get(Millis(10'000));
    ASSERT_TRUE(next.has_value()) << next.error().message();
    EXPECT_EQ(next->text(), "from the child");
    next->ack();
    EXPECT_TRUE(queue.put("last").has_value());
}

}  // namespace
}  // namespace telpher::test
