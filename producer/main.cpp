// telpher-producer: `telpher put` as a daemon. Reads lines (or other records) until the input ends or it is told to
// stop.
#include "producer/put_command.h"
#include "proto/command/program.h"

int main(int argc, char** argv) {
    telpher::command::Program program("telpher-producer", "Puts what it reads into a queue, until the input ends");
    telpher::PutFlags flags;
    flags.daemon = true;
    telpher::add_put_flags(program.app(), flags);
    program.on(program.app(), [&] { return telpher::put_command(flags, program.globals()); });
    return program.main(argc, argv);
}
