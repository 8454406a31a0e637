// A program of ours: flags, commands, dispatch, and the way from errors to exit statuses. One per process, in main().
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/command/globals.h"

namespace telpher::command {

class Program {
public:
    Program(const std::string& name, const std::string& description);
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    [[nodiscard]] CLI::App& app() { return app_; }
    [[nodiscard]] const Globals& globals() const { return globals_; }

    /// What runs when `command` (the app itself, or a subcommand) was chosen; returns the exit status.
    void on(CLI::App& command, std::function<int()> run);

    /// Parses and runs, or answers what proto/command/hidden.h lists; the exit status. The value of --create may be
    /// left out. Never throws. Ignores SIGPIPE from here on.
    int main(int argc, const char* const* argv);

    /// Lets the value of `option` (say --create) be left out: the next word is its value only if it has a '=' in it.
    static std::vector<std::string> fill_in(int argc, const char* const* argv, std::string_view option);

private:
    int dispatch();
    std::vector<std::string> queue_names(const std::vector<std::string>& words) const;
    int print_version() const;

    CLI::App app_;
    Globals globals_;
    std::function<int()> chosen_;
};

}  // namespace telpher::command
