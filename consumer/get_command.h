// `telpher get`: messages out of a queue onto stdout. A message is acked only after it was written. One per process.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <string>

#include "proto/command/globals.h"

namespace telpher {

struct GetFlags {
    std::string queue;
    std::uint64_t count = 1;
    Millis wait = kForever;    ///< For all of them together.
    std::string ack = "auto";  ///< "none": they go back when the command ends.
    bool raw = false, print0 = false;
    bool follow = false;  ///< Until the queue is sealed and drained.
    std::string save;     ///< Folder for a file a message; empty: none.
    bool wait_queue = false;
};

void add_get_flags(CLI::App& app, GetFlags& flags);

/// Runs it; the exit status.
int get_command(const GetFlags& flags, const command::Globals& globals);

}  // namespace telpher
