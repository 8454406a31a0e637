#include "producer/feed_command.h"

#include <unistd.h>

#include <array>
#include <filesystem>
#include <memory>
#include <utility>

#include "producer/feed.h"
#include "producer/file_follower.h"
#include "producer/folder_follower.h"
#include "producer/zmq_source.h"
#include "proto/base/clock.h"
#include "proto/command/exit.h"
#include "proto/command/output.h"
#include "proto/limits.h"

namespace telpher {
namespace {

std::string host_name() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
    return name.data();
}

/// What the source is called everywhere: the same after a restart, another one on another host.
std::string source_of(const PutFlags& flags) {
    if (flags.follow.empty()) return flags.pull.empty() ? flags.sub : flags.pull;
    std::error_code error;
    const auto path = std::filesystem::weakly_canonical(flags.follow, error);
    return error ? flags.follow : path.string();
}

Result<void> check(const PutFlags& flags) {
    const int sources = !flags.follow.empty() + !flags.pull.empty() + !flags.sub.empty() + flags.body.has_value();
    if (sources > 1) return fail(Code::kUsage, "--follow, --pull, --sub and a BODY exclude each other");
    if (flags.length_prefixed || flags.count != 1 || flags.seal || flags.ids)
        return fail(Code::kUsage, "--follow, --pull and --sub go without --length-prefixed, --count, --seal and --ids");
    if (flags.lines + flags.null + flags.json_lines > 1)
        return fail(Code::kUsage, "--lines, --null and --json-lines exclude each other");
    if (flags.json_lines && (!flags.key.empty() || !flags.headers.empty()))
        return fail(Code::kUsage, "with --json-lines key and headers come from each record, not from --key and -H");
    if (flags.follow.empty() && (flags.lines || flags.null))
        return fail(Code::kUsage, "a message of ZeroMQ is a record: no --lines, no --null");
    if (!flags.state.empty() && flags.follow.empty()) return fail(Code::kUsage, "--state belongs to --follow");
    if (flags.topic && flags.sub.empty()) return fail(Code::kUsage, "--topic belongs to --sub");
    return {};
}

void note(const std::string& text) { command::print_note(text); }

Result<std::unique_ptr<RecordSource>> follower(const PutFlags& flags, const std::string& name) {
    std::string path = flags.state;
    if (path.empty()) {
        auto found = default_state_path(flags.queue, name);
        if (!found) return fail(found.error());
        path = std::move(*found);
    }
    FollowState state(path, flags.queue + "\n" + name + "\n" + source_of(flags));
    std::error_code error;
    if (std::filesystem::is_directory(flags.follow, error)) {
        const bool cut = flags.lines || flags.json_lines;
        const Framing framing = flags.null ? Framing::kNull : cut ? Framing::kLines : Framing::kWhole;
        auto source = std::make_unique<FolderFollower>(flags.follow, framing, std::move(state), note);
        if (auto loaded = source->load(); !loaded) return fail(loaded.error());
        return source;
    }
    auto source =
        std::make_unique<FileFollower>(flags.follow, flags.null ? '\0' : '\n', std::move(state), system_clock(), note);
    if (auto loaded = source->load(); !loaded) return fail(loaded.error());
    return source;
}

Result<std::unique_ptr<RecordSource>> open_source(const PutFlags& flags, const std::string& name) {
    if (!flags.follow.empty()) return follower(flags, name);
    const bool pulls = !flags.pull.empty();
    auto source = ZmqSource::open(pulls ? ZmqSource::Kind::kPull : ZmqSource::Kind::kSub,
                                  pulls ? flags.pull : flags.sub, flags.topic.value_or(""), note);
    if (!source) return fail(source.error());
    return std::move(*source);
}

}  // namespace

bool is_feed(const PutFlags& flags) { return !flags.follow.empty() || !flags.pull.empty() || !flags.sub.empty(); }

int feed_command(const PutFlags& flags, const PutOptions& put, const OpenFlags& open, const command::Globals& globals,
                 const command::StopSignals& signals) {
    if (auto checked = check(flags); !checked) return command::print_error(checked.error());
    const std::string name = flags.name.empty() ? host_name() + ":" + source_of(flags) : flags.name;
    if (name.size() > limits::kNameBytesMax)
        return command::print_error(Error(Code::kUsage, "a long name: give a shorter one with --name"));
    auto source = open_source(flags, name);
    if (!source) return command::print_error(source.error());
    Feed::Setup setup;
    setup.queue = flags.queue;
    setup.open = open;
    setup.open.options.producer_name = name;
    setup.put = put;
    setup.json = flags.json_lines;
    if (globals.timeout) setup.drain = *globals.timeout;
    Feed feed(std::move(setup), globals, signals, **source);
    std::unique_ptr<ProgressReporter> progress;
    if (!globals.quiet && !globals.no_progress && command::draws_progress())
        progress = std::make_unique<ProgressReporter>(flags.queue, true, [&feed] { return feed.counters(); });
    const auto done = feed.run();
    progress.reset();
    if (!done) return command::print_error(done.error());
    return flags.daemon ? command::kExitOk : signals.exit_status(command::kExitOk);
}

}  // namespace telpher
