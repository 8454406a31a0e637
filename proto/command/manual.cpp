#include "proto/command/manual.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>

#include "proto/version.h"

namespace telpher::command {
namespace {

std::string upper(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::toupper(c); });
    return out;
}

std::string bold(std::string_view text) { return "\\fB" + man_text(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + man_text(text) + "\\fR"; }

/// "URL" of "URL:INT in [1 - 9]": what stands for the value.
std::string placeholder(const CLI::Option& option) {
    const std::string type = option.get_type_name();
    return type.substr(0, type.find_first_of(": "));
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

/// "-s, --server URL"
std::string names(const CLI::Option& option) {
    std::string out;
    const auto add = [&](const std::string& name) { out += (out.empty() ? "" : ", ") + bold(name); };
    for (const std::string& name : option.get_snames()) add("-" + name);
    for (const std::string& name : option.get_lnames()) add("--" + name);
    if (takes_value(option)) out += " " + italic(placeholder(option));
    return out;
}

/// A description begins like a sentence and may lack its full stop.
std::string sentence(std::string text) {
    if (!text.empty() && text.back() != '.') text += '.';
    return man_text(text);
}

std::string describe(const CLI::Option& option) {
    std::string out = ".TP\n" + (option.nonpositional() ? names(option) : italic(option.get_name(true))) + "\n" +
                      sentence(option.get_description()) + "\n";
    if (!option.get_default_str().empty() && takes_value(option)) {
        out += "Default: " + man_text(option.get_default_str()) + ".\n";
    }
    return out;
}

template <class Wanted>
std::string describe_all(const CLI::App& app, const Wanted& wanted) {
    std::string out;
    for (const CLI::Option* option : app.get_options()) {
        if (!option->get_group().empty() && wanted(*option)) out += describe(*option);
    }
    return out;
}

/// "telpher queue create [OPTIONS] QUEUE [KEY=VALUE...]"
std::string synopsis(const CLI::App& app, const std::string& words) {
    std::string out = bold(words) + " [" + italic("OPTION") + "]...";
    for (const CLI::Option* option : app.get_options()) {
        if (!option->get_positional() || option->get_group().empty()) continue;
        std::string name = italic(option->get_name(true));
        if (option->get_name(true) == "COMMAND") name = bold("--") + " " + name;
        if (option->get_items_expected_max() > 1) name += "...";
        out += option->get_required() ? " " + name : " [" + name + "]";
    }
    return out;
}

std::vector<const CLI::App*> commands(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

/// Every form of a command: itself, or those below it.
std::string forms(const CLI::App& app, const std::string& words, bool whole) {
    std::string out;
    if (commands(app).empty() || whole) out = synopsis(app, words) + "\n";
    for (const CLI::App* command : commands(app)) {
        out += (out.empty() ? "" : ".br\n") + forms(*command, words + " " + command->get_name(), false);
    }
    return out;
}

/// Arguments and options of one command, without what counts for every one.
std::string options(const CLI::App& app) {
    const bool root = app.get_parent() == nullptr;
    return describe_all(app, [](const CLI::Option& option) { return option.get_positional(); }) +
           describe_all(app, [&](const CLI::Option& option) {
               return option.nonpositional() && (root || option.get_name(false, true) != "-h,--help");
           });
}

/// A section for each command below, with those below it.
std::string subcommands(const CLI::App& app, const std::string& words) {
    std::string out;
    for (const CLI::App* command : commands(app)) {
        const std::string full = words.empty() ? command->get_name() : words + " " + command->get_name();
        out += ".SS " + man_text(full) + "\n" + sentence(command->get_description()) + "\n" + options(*command) +
               subcommands(*command, full);
    }
    return out;
}

std::string list(const CLI::App& app, const std::string& page) {
    std::string out;
    for (const CLI::App* command : commands(app)) {
        out += ".TP\n.BR " + man_text(page + "-" + command->get_name()) + " (1)\n" +
               sentence(command->get_description()) + "\n";
    }
    return out;
}

std::string first_small(std::string text) {
    if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    return text;
}

}  // namespace

std::string man_text(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\') {
            out += "\\e";
        } else if (c == '-') {
            out += "\\-";
        } else if (c == '\'') {
            out += "\\(aq";
        } else if (c == '`') {
            out += "\\(ga";
        } else if (c == '^' || c == '~') {
            out += c == '^' ? "\\(ha" : "\\(ti";
        } else if (c == '.' && (out.empty() || out.back() == '\n')) {
            out += "\\&.";
        } else {
            out += c;
        }
    }
    return out;
}

std::string man_heading(std::string_view name, int section) {
    return ".TH \"" + man_text(upper(name)) + "\" \"" + std::to_string(section) + "\" \"\" \"telpher " +
           std::string(kVersion) + "\" \"Telpher\"\n";
}

std::vector<std::string> paged_commands(const CLI::App& app, int section) {
    std::vector<std::string> names;
    if (section == 8) return names;  // a daemon's are sections of its page
    for (const CLI::App* command : commands(app)) names.push_back(command->get_name());
    return names;
}

Result<std::string> man_page(const CLI::App& app, const std::vector<std::string>& path, int section) {
    const CLI::App* at = &app;
    std::string page = app.get_name();
    std::string words = app.get_name();
    for (const std::string& name : path) {
        const auto all = commands(*at);
        const auto found =
            std::find_if(all.begin(), all.end(), [&](const CLI::App* each) { return each->get_name() == name; });
        if (found == all.end()) return fail(Code::kUsage, words + " has no command " + name);
        at = *found;
        page += "-" + name;
        words += " " + name;
    }
    const bool pages = path.empty() && !paged_commands(app, section).empty();
    std::string out = man_heading(page, section) + ".SH NAME\n" + man_text(page) + " \\- " +
                      man_text(first_small(at->get_description())) + "\n.SH SYNOPSIS\n.nh\n" +
                      (pages ? bold(words) + " [" + italic("OPTION") + "]... " + italic("COMMAND") + " ...\n"
                             : forms(*at, words, path.empty())) +
                      ".hy\n.SH DESCRIPTION\n" + sentence(at->get_description()) + "\n";
    if (pages) out += ".SH COMMANDS\n" + list(*at, page);
    if (const std::string own = options(*at); !own.empty()) out += ".SH OPTIONS\n" + own;
    if (!path.empty()) out += "The options for every command are in\n.BR " + man_text(app.get_name()) + " (1).\n";
    if (!pages && !commands(*at).empty()) out += ".SH COMMANDS\n" + subcommands(*at, "");
    return out;
}

}  // namespace telpher::command
