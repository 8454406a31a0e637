// The commands of `telpher`, in groups. Each add_ function registers its commands with the program, which must outlive
// the parse; the flags live as long as the program.
#pragma once

#include "proto/command/program.h"

namespace telpher::cli {

void add_message_commands(command::Program& program);  ///< put, get, run, peek
void add_queue_commands(command::Program& program);    ///< queue create|ls|show|set|rm|pause|resume
void add_dead_commands(command::Program& program);     ///< dead ls|peek|redrive|drop
void add_end_commands(command::Program& program);      ///< join, and seal and reopen, also of `queue` (add that first)
void add_status_command(command::Program& program);    ///< status
void add_top_command(command::Program& program);       ///< top
void add_check_commands(command::Program& program);    ///< check ready|queue
void add_bench_command(command::Program& program);     ///< bench
void add_completion_command(command::Program& program);  ///< completion
void add_key_commands(command::Program& program);        ///< keygen, user add|ls|show|rekey|rm
void add_context_commands(command::Program& program);    ///< context add|ls|use|show|rm

}  // namespace telpher::cli
