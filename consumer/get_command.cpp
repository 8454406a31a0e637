#include "consumer/get_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <vector>

#include "consumer/message_writer.h"
#include "producer/open_queue.h"
#include "proto/base/clock.h"
#include "proto/command/exit.h"
#include "proto/command/output.h"
#include "proto/command/signals.h"
#include "proto/command/value_flags.h"
#include "proto/limits.h"

namespace telpher {
namespace {

using command::Format;
using command::Globals;

constexpr std::size_t kBufferBytes = 256 * limits::kKiB;  // written at once at most, but for one large message
constexpr std::uint64_t kHeldMax = 65'536;                // messages that --ack none keeps leased
constexpr Millis kFlushTimeout{10'000};
constexpr Millis kAskTimeout{5'000};
/// --wait 0: how long a message that was there may take to come; longer only if somebody else was quicker.
constexpr Millis kComing{1'000};

Result<MessageWriter::Style> style_of(const GetFlags& flags, const Globals& globals) {
    using Style = MessageWriter::Style;
    const int chosen = flags.raw + flags.print0 + !flags.save.empty() + (globals.output != Format::kTable);
    if (chosen > 1) return fail(Code::kUsage, "--raw, --print0, --save and -o exclude each other");
    if (flags.raw) return Style::kRaw;
    if (flags.print0) return Style::kNull;
    if (!flags.save.empty()) return Style::kSave;
    if (globals.output == Format::kJson) return Style::kJson;
    return globals.output == Format::kNdjson ? Style::kNdjson : Style::kLine;
}

Result<void> check(const GetFlags& flags) {
    if (flags.ack == "none" && flags.follow)
        return fail(Code::kUsage, "--ack none gives all back at the end: say how many with -n");
    if (flags.ack == "none" && flags.count > kHeldMax) {
        return fail(Code::kUsage, "--ack none takes at most " + std::to_string(kHeldMax) + " messages");
    }
    return {};
}

/// One get command at work.
class Getting {
public:
    Getting(const GetFlags& flags, const command::StopSignals& signals, Queue queue, MessageWriter writer)
        : flags_(flags), signals_(signals), queue_(std::move(queue)), writer_(std::move(writer)) {
        if (flags_.wait != kForever) end_ = system_clock().now() + flags_.wait;
    }

    int run() {
        const auto there = begin();
        const Code why = there ? take_all() : ended(there.error());
        if (status_ == command::kExitOk) status_ = writer_.finish();
        settle();
        if (status_ != command::kExitOk) return status_;
        const auto flushed = consumer_ ? consumer_->flush(kFlushTimeout) : Result<void>();
        if (!flushed) return command::print_error(flushed.error());
        if (why == Code::kStopped) return signals_.exit_status(command::kExitFailed);
        if (taken_ > 0 || flags_.follow) return command::kExitOk;
        return command::kExitEmpty;
    }

private:
    /// Asks for no more than will be taken: what was drawn in vain would be delivered again to somebody else. kEmpty,
    /// kEnd: nothing is there, and only that is wanted.
    Result<void> begin() {
        std::uint64_t most = flags_.follow ? 0 : flags_.count;
        if (flags_.wait == Millis{0}) {
            const auto state = queue_.stats(kAskTimeout);
            if (!state) return fail(state.error());
            if (state->sealed && state->unfinished() == 0) return fail(Code::kEnd);
            if (state->ready == 0 || state->paused) return fail(Code::kEmpty);
            most = most == 0 ? state->ready : std::min(most, state->ready);
        }
        consumer_.emplace(queue_.consume({.prefetch = 0, .stop = signals_.token(), .name = {}, .messages_max = most}));
        most_ = most == 0 ? UINT64_MAX : most;
        return {};
    }

    /// Why it ended; errors are printed and set status_.
    Code take_all() {
        while (taken_ < most_) {
            // Whatever is there already goes out with one write; before a wait everything is out and settled.
            auto message = consumer_->next(Millis{0});
            if (!message && message.error().code() == Code::kEmpty) {
                if (!write_and_settle()) return Code::kOk;
                message = consumer_->next(time_left());
            }
            if (!message) return ended(message.error());
            if (!add(std::move(*message))) return Code::kOk;
        }
        return Code::kOk;
    }

    [[nodiscard]] Millis time_left() const {
        if (flags_.wait == kForever) return kForever;
        if (flags_.wait == Millis{0}) return kComing;
        return std::max(Millis{0}, std::chrono::ceil<Millis>(end_ - system_clock().now()));
    }

    bool add(Message message) {
        if (const auto added = writer_.add(message); !added) {
            status_ = command::print_error(added.error());
            return false;
        }
        ++taken_;
        held_.push_back(std::move(message));
        return writer_.pending_bytes() < kBufferBytes || write_and_settle();
    }

    bool write_and_settle() {
        status_ = writer_.flush();
        if (status_ != command::kExitOk) return false;
        settle();
        return true;
    }

    /// What was written is acked; what was not goes back when it is dropped.
    void settle() {
        if (flags_.ack == "none" && status_ == command::kExitOk) return;
        if (status_ == command::kExitOk) {
            for (Message& message : held_) message.ack();
        }
        held_.clear();
    }

    Code ended(const Error& error) {
        const Code code = error.code();
        if (code != Code::kEnd && code != Code::kEmpty && code != Code::kStopped) status_ = command::print_error(error);
        return code;
    }

    const GetFlags& flags_;
    const command::StopSignals& signals_;
    Queue queue_;
    std::optional<Consumer> consumer_;
    std::uint64_t most_ = 0;
    MessageWriter writer_;
    Instant end_ = Instant::never();
    std::vector<Message> held_;
    std::uint64_t taken_ = 0;
    int status_ = command::kExitOk;
};

}  // namespace

void add_get_flags(CLI::App& app, GetFlags& flags) {
    app.add_option("QUEUE", flags.queue, "Name of the queue")->required();
    CLI::Option* count = command::add_count(app, "-n,--number", {}, flags.count, "Messages to take (default 1)");
    app.add_flag("-f,--follow", flags.follow, "Go on until the queue is sealed and drained")->excludes(count);
    command::add_duration(
        app, "-w,--wait", [&flags](Millis wait) { flags.wait = wait; },
        "Wait this long for them; 0: only what is there (default: without end)");
    app.add_option("--ack", flags.ack, "auto: once written; none: look, and give all back at the end")
        ->check(CLI::IsMember({"auto", "none"}).description(""));
    app.add_flag("--raw", flags.raw, "Bodies with nothing between them");
    app.add_flag("-0,--print0", flags.print0, "A NUL byte after each body, for xargs -0");
    app.add_option("--save", flags.save, "Write each body to the file DIR/ID and print its path")
        ->check(CLI::ExistingDirectory.description(""))
        ->type_name("DIR");
    app.add_flag("--wait-queue", flags.wait_queue, "Wait until somebody makes the queue");
}

int get_command(const GetFlags& flags, const Globals& globals) {
    if (const auto fine = check(flags); !fine) return command::print_error(fine.error());
    const auto style = style_of(flags, globals);
    if (!style) return command::print_error(style.error());
    const command::StopSignals signals;
    Client client(globals.client_options());
    auto queue = open_queue(client, flags.queue, {.options = {}, .create = false, .wait = flags.wait_queue}, globals,
                            signals.token());
    if (!queue && queue.error().code() == Code::kStopped) return signals.exit_status(command::kExitFailed);
    if (!queue) return command::print_error(queue.error());
    return Getting(flags, signals, std::move(*queue), MessageWriter(*style, flags.save)).run();
}

}  // namespace telpher
