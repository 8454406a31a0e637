// `telpher put` and `telpher-producer`: messages from arguments, files and pipes into a queue. One per process.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "producer/record_reader.h"
#include "proto/command/globals.h"

namespace telpher {

struct PutFlags {
    std::string queue;
    std::optional<std::string> body;  ///< Text, "-" (stdin) or "@FILE"; none: stdin.
    bool lines = false, null = false, json_lines = false, length_prefixed = false;
    std::vector<std::string> headers;  ///< "name=value"
    std::string key;
    std::uint64_t count = 1;            ///< Puts the input this many times.
    std::optional<std::string> create;  ///< Options of --create, may be empty.
    bool wait_queue = false;
    // A source that goes on, or can be read again; see feed_command.h.
    std::string follow;                ///< A file or a folder.
    std::string pull, sub;             ///< ZeroMQ endpoints.
    std::optional<std::string> topic;  ///< What SUB subscribes to.
    std::string name;                  ///< Of the producer; empty: none, or made of the source.
    std::string state;                 ///< State file; empty: the default one.
    bool seal = false;
    bool ids = false;
    bool daemon = false;  ///< telpher-producer: lines by default, and a stop is a success.
};

void add_put_flags(CLI::App& app, PutFlags& flags);

/// Runs it; the exit status.
int put_command(const PutFlags& flags, const command::Globals& globals);

}  // namespace telpher
