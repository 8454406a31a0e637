// completion: what a shell needs to complete our programs.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "proto/command/completion.h"
#include "proto/command/exit.h"
#include "proto/command/output.h"

namespace telpher::cli {

void add_completion_command(command::Program& program) {
    CLI::App* app =
        program.app().add_subcommand("completion", "Print what a shell needs to complete our command lines");
    const auto shell = std::make_shared<std::string>();
    app->add_option("SHELL", *shell, "bash or zsh; say: eval \"$(telpher completion bash)\"")->required();
    program.on(*app, [shell] {
        const auto script = command::completion_script(*shell);
        return script ? command::print(std::string(*script)) : command::print_error(script.error());
    });
}

}  // namespace telpher::cli
