// telpher: one command for people and scripts.
#include "cli/commands.h"

int main(int argc, char** argv) {
    telpher::command::Program program("telpher", "Bounded, durable queues between processes");
    telpher::cli::add_message_commands(program);
    telpher::cli::add_queue_commands(program);
    telpher::cli::add_dead_commands(program);
    telpher::cli::add_end_commands(program);
    telpher::cli::add_status_command(program);
    telpher::cli::add_top_command(program);
    telpher::cli::add_check_commands(program);
    telpher::cli::add_bench_command(program);
    telpher::cli::add_completion_command(program);
    telpher::cli::add_key_commands(program);
    telpher::cli::add_context_commands(program);
    return program.main(argc, argv);
}
