#include "producer/put_command.h"

#include <CLI/CLI.hpp>

#include "producer/feed_command.h"
#include "producer/open_queue.h"
#include "producer/put_source.h"
#include "producer/put_stream.h"
#include "proto/base/units.h"
#include "proto/command/exit.h"
#include "proto/command/output.h"
#include "proto/command/queue_flags.h"
#include "proto/command/signals.h"
#include "proto/command/value_flags.h"

namespace telpher {
namespace {

using command::Globals;

Result<PutOptions> put_options(const PutFlags& flags, const Globals& globals) {
    PutOptions options;
    options.timeout = globals.timeout_or(kForever);
    options.key = flags.key;
    for (const std::string& header : flags.headers) {
        const std::size_t equals = header.find('=');
        if (equals == std::string::npos || equals == 0)
            return fail(Code::kUsage, "-H takes NAME=VALUE, not '" + header + "'");
        options.headers.emplace_back(header.substr(0, equals), header.substr(equals + 1));
    }
    return options;
}

Result<OpenFlags> open_flags(const PutFlags& flags) {
    OpenFlags open;
    open.options.producer_name = flags.name;
    open.wait = flags.wait_queue;
    open.create = flags.create.has_value();
    if (open.wait && open.create)
        return fail(Code::kUsage, "--create makes the queue, --wait-queue waits for it: choose one");
    if (!open.create) return open;
    auto options = command::parse_queue_options(*flags.create);
    if (!options) return fail(Code::kUsage, "--create: " + options.error().detail());
    open.options = *options;
    open.options.producer_name = flags.name;
    return open;
}

/// One put command at work: everything that lives from the first message to the last outcome.
class Putting {
public:
    Putting(const PutFlags& flags, const Globals& globals, const command::StopSignals& signals, PutSource& source,
            Queue queue)
        : flags_(flags), globals_(globals), signals_(signals), source_(source), queue_(std::move(queue)) {}

    int run(PutOptions options) {
        options.stop = signals_.token();
        if (!flags_.name.empty()) {
            if (const auto there = pass_stored(options); !there) return fails(there.error());
        }
        const int status = source_.is_single() ? put_one(options) : put_many(options);
        if (status != command::kExitOk || !flags_.seal) return status;
        if (signals_.signal() != 0) return flags_.daemon ? status : signals_.exit_status(command::kExitFailed);
        const auto sealed = queue_.seal(globals_.timeout_or(kForever));
        return sealed ? command::kExitOk : command::print_error(sealed.error());
    }

private:
    /// What was put under this name before is read and left out.
    Result<void> pass_stored(PutOptions& options) {
        const auto stored = queue_.next_sequence(globals_.timeout_or(command::kAnswerTimeout));
        if (!stored) return fail(stored.error());
        for (std::uint64_t i = 0; i < *stored; ++i) {
            const auto record = source_.next(options);
            if (!record) return record.error().code() == Code::kEnd ? Result<void>() : fail(record.error());
        }
        return {};
    }

    int put_one(PutOptions& options) {
        const auto body = source_.next(options);
        if (!body && body.error().code() == Code::kEnd) return command::kExitOk;  // passed: it is stored
        if (!body) return fails(body.error());
        const auto id = queue_.put(*body, options);
        if (!id) return fails(id.error());
        return flags_.ids ? command::print(std::to_string(*id) + "\n") : command::kExitOk;
    }

    int put_many(PutOptions& options) {
        PutStream stream(queue_, flags_.ids);
        Result<void> ended;
        {
            const auto progress = show_progress(stream);
            ended = feed(stream, options);
            const auto settled = stream.finish(globals_.timeout_or(kForever), signals_.token());
            if (ended && !settled) ended = settled;
        }
        return report(stream, ended);
    }

    std::unique_ptr<ProgressReporter> show_progress(const PutStream& stream) const {
        if (globals_.quiet || globals_.no_progress) return nullptr;
        return std::make_unique<ProgressReporter>(flags_.queue, command::draws_progress(), [this, &stream] {
            PutCounters counters = stream.counters();
            source_.measure(counters);
            return counters;
        });
    }

    /// Until the input ends, a stop, or an error that the next message would meet as well.
    Result<void> feed(PutStream& stream, PutOptions& options) {
        for (;;) {
            const auto body = source_.next(options);
            if (!body) return body.error().code() == Code::kEnd ? Result<void>() : fail(body.error());
            if (auto put = stream.put(*body, options); !put) return put;
            const Code refusal = stream.refusal();
            if (refusal != Code::kOk && !info(refusal).retryable) return {};
            if (stream.output_failure() != 0) return {};
        }
    }

    int report(const PutStream& stream, const Result<void>& ended) const {
        const PutCounters counters = stream.counters();
        const bool all = ended && counters.confirmed == counters.sent && stream.output_failure() == 0;
        if (all) return command::kExitOk;
        if (stream.output_failure() == command::kExitPipe) return command::kExitPipe;
        const Error error = ended ? Error(stream.refusal()) : ended.error();
        const bool stopped = error.code() == Code::kStopped;
        if (!stopped) command::print_error(error);
        command::print_note((stopped ? "stopped: " : "") + format_count(counters.confirmed) + " messages confirmed, " +
                            format_count(counters.sent - counters.confirmed) + " not");
        if (stopped) return stop_status(counters);
        return counters.confirmed == 0 ? command::exit_status(error.code()) : command::kExitFailed;
    }

    /// A daemon that was told to stop and has lost nothing has done its work.
    int stop_status(const PutCounters& counters) const {
        if (flags_.daemon) return counters.confirmed == counters.sent ? command::kExitOk : command::kExitFailed;
        return signals_.exit_status(command::kExitFailed);
    }

    int fails(const Error& error) const {
        if (error.code() != Code::kStopped) return command::print_error(error);
        command::print_note("stopped: 0 messages confirmed");
        return stop_status(PutCounters{});
    }

    const PutFlags& flags_;
    const Globals& globals_;
    const command::StopSignals& signals_;
    PutSource& source_;
    Queue queue_;
};

}  // namespace

void add_put_flags(CLI::App& app, PutFlags& flags) {
    app.add_option("QUEUE", flags.queue, "Name of the queue")->required();
    app.add_option("BODY", flags.body, "The message; - for stdin (default), @FILE for a file");
    app.add_flag("--lines", flags.lines, flags.daemon ? "A message a line (default)" : "A message a line");
    app.add_flag("-0,--null", flags.null, "Messages end with a NUL byte");
    app.add_flag("--json-lines", flags.json_lines, "An object a line: body or body_base64, key, headers");
    app.add_flag("--length-prefixed", flags.length_prefixed,
                 "4 bytes, little endian, before each message say how long it is");
    app.add_option("-H,--header", flags.headers, "A header of every message; repeatable")
        ->type_name("NAME=VALUE")
        ->allow_extra_args(false);
    app.add_option("--key", flags.key, "Key of every message");
    command::add_count(app, "--count", {}, flags.count, "Put the message this many times");
    app.add_option("--create", flags.create, "Make the queue if it is absent: maxsize=50,on-full=reject,...")
        ->type_name("[OPTIONS]");
    app.add_flag("--wait-queue", flags.wait_queue, "Wait until somebody makes the queue");
    app.add_option("--follow", flags.follow, "Records of a file that grows and is rotated, or files of a folder")
        ->type_name("PATH");
    app.add_option("--pull", flags.pull, "Messages of a ZeroMQ PULL socket")->type_name("ENDPOINT");
    app.add_option("--sub", flags.sub, "Messages of a ZeroMQ SUB socket")->type_name("ENDPOINT");
    app.add_option("--topic", flags.topic, "What --sub subscribes to: a prefix; default: everything");
    app.add_option("--name", flags.name, "Name of the producer: goes on behind what is stored under it");
    app.add_option("--state", flags.state, "State file of --follow")->type_name("FILE");
    app.add_flag("--seal", flags.seal, "Seal the queue once everything is confirmed");
    app.add_flag("--ids", flags.ids, "Print the id of every confirmed message, in order");
}

int put_command(const PutFlags& flags, const Globals& globals) {
    const command::StopSignals signals;
    const auto options = put_options(flags, globals);
    if (!options) return command::print_error(options.error());
    const auto open = open_flags(flags);
    if (!open) return command::print_error(open.error());
    if (is_feed(flags)) return feed_command(flags, *options, *open, globals, signals);
    const auto source = PutSource::open(flags, signals.fd());
    if (!source) {
        const bool stopped = source.error().code() == Code::kStopped;
        return stopped ? signals.exit_status(command::kExitFailed) : command::print_error(source.error());
    }
    Client client(globals.client_options());
    auto queue = open_queue(client, flags.queue, *open, globals, signals.token());
    if (!queue) {
        const bool stopped = queue.error().code() == Code::kStopped;
        return stopped ? signals.exit_status(command::kExitFailed) : command::print_error(queue.error());
    }
    return Putting(flags, globals, signals, **source, std::move(*queue)).run(*options);
}

}  // namespace telpher
