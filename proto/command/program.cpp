#include "proto/command/program.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <exception>
#include <nlohmann/json.hpp>

#include "proto/base/standard_descriptors.h"
#include "proto/command/exit.h"
#include "proto/command/hidden.h"
#include "proto/command/output.h"
#include "proto/command/queue_flags.h"
#include "proto/version.h"
#include "telpher/client.h"

namespace telpher::command {
namespace {

constexpr int kProtocolVersion = 1;
constexpr std::string_view kCompiler = "g++ " __VERSION__;
/// Nobody waits longer for a completion.
constexpr Millis kNamesWait{500};

}  // namespace

Program::Program(const std::string& name, const std::string& description) : app_(description, name) {
    // Flags for every command may stand before or after it.
    app_.fallthrough();
    add_global_flags(app_, globals_);
}

void Program::on(CLI::App& command, std::function<int()> run) {
    command.callback([this, run = std::move(run)] { chosen_ = run; });
}

int Program::print_version() const {
    if (globals_.output == Format::kTable) {
        return print(app_.get_name() + " " + kVersion + " (" + kGitRevision + ")\n");
    }
    const nlohmann::ordered_json json{
        {"version", kVersion}, {"revision", kGitRevision}, {"protocol", kProtocolVersion}, {"compiler", kCompiler}};
    return print(json.dump() + "\n");
}

int Program::dispatch() {
    if (globals_.version) return print_version();
    if (!chosen_) return print_error(Error(Code::kUsage, "no command given"));
    try {
        return chosen_();
    } catch (const Failure& failure) {
        return print_error(failure.error());
    } catch (const std::exception& error) {
        return print_error(Error(Code::kInternal, error.what()));
    }
}

std::vector<std::string> Program::queue_names(const std::vector<std::string>& words) const {
    Globals globals = globals_;
    globals.timeout = kNamesWait;
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        if (words[i] == "-s" || words[i] == "--server") globals.server = words[i + 1];
    }
    std::vector<std::string> names;
    try {
        Client client(globals.client_options());
        if (const auto queues = client.list(kNamesWait)) {
            for (const QueueStats& queue : *queues) names.push_back(queue.name);
        }
    } catch (const Failure&) {  // a server that makes no sense has no queues
    }
    return names;
}

std::vector<std::string> Program::fill_in(int argc, const char* const* argv, std::string_view option) {
    std::vector<std::string> words(argv + 1, argv + argc);
    for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
        if (words[i] != option) continue;
        const bool has_value = i + 1 < words.size() && words[i + 1].find('=') != std::string::npos;
        if (!has_value || words[i + 1].starts_with('-')) words[i] += "=" + std::string(kNoOptions);
    }
    std::reverse(words.begin(), words.end());  // as CLI::App::parse wants them
    return words;
}

int Program::main(int argc, const char* const* argv) {
    fill_standard_descriptors();
    std::signal(SIGPIPE, SIG_IGN);
    const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
    const auto answered = answer_hidden(app_, argc, argv, 1, [&] { return queue_names(words); });
    if (answered) return *answered;
    try {
        app_.parse(fill_in(argc, argv, "--create"));
    } catch (const CLI::CallForHelp&) {
        return print(app_.help());
    } catch (const CLI::ParseError& error) {
        // --version asks for nothing else, so what is missing does not matter.
        if (globals_.version) return print_version();
        return print_error(Error(Code::kUsage, error.what()));
    }
    return dispatch();
}

}  // namespace telpher::command
