#include "proto/command/hidden.h"

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

#include "proto/command/exit.h"
#include "proto/command/manual.h"
#include "proto/command/output.h"

namespace telpher::command {
namespace {

int print_candidates(const CLI::App& app, const std::vector<std::string>& words, const QueueNames& queue_names) {
    std::string out;
    for (const Candidate& candidate : complete(app, words, queue_names)) {
        out += candidate.word + "\t" + candidate.help + "\n";
    }
    return print(out);
}

int print_pages(const CLI::App& app, int section) {
    const std::string suffix = "." + std::to_string(section);
    std::string out = app.get_name() + suffix + "\n";
    for (const std::string& command : paged_commands(app, section)) {
        out += app.get_name() + "-" + command + suffix + " " + command + "\n";
    }
    return print(out);
}

}  // namespace

std::optional<int> answer_hidden(const CLI::App& app, int argc, const char* const* argv, int section,
                                 const QueueNames& queue_names) {
    if (argc < 2) return std::nullopt;
    const std::string_view what = argv[1];
    const std::vector<std::string> words(argv + 2, argv + argc);
    if (what == "__complete") return print_candidates(app, words, queue_names);
    if (what == "__pages") return print_pages(app, section);
    if (what != "__man") return std::nullopt;
    const auto page = man_page(app, words, section);
    return page ? print(*page) : print_error(page.error());
}

}  // namespace telpher::command
