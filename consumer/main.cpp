// telpher-consumer: `telpher run` as a daemon. Takes messages until it is told to stop.
#include "consumer/run_command.h"
#include "proto/command/program.h"

int main(int argc, char** argv) {
    telpher::command::Program program("telpher-consumer",
                                      "Runs a command for every message of a queue, until told to stop");
    telpher::RunFlags flags;
    flags.exit_on = "never";
    telpher::add_run_flags(program.app(), flags);
    program.on(program.app(), [&] { return telpher::run_command(flags, program.globals()); });
    return program.main(argc, argv);
}
