// The flags that every command of every program of ours has. A plain value, filled by the parse, constant afterwards.
#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <string>

#include "telpher/options.h"

namespace telpher::command {

/// How results are written to stdout.
enum class Format {
    kTable,   ///< For people; may change.
    kJson,    ///< One document.
    kNdjson,  ///< One object a line.
};

struct Globals {
    std::string server;    ///< Empty: see client_options().
    std::string key_file;  ///< The same.
    std::string context;   ///< Name of a context; empty: see client_options().
    Format output = Format::kTable;
    std::string color = "auto";
    std::optional<Millis> timeout;
    bool quiet = false;
    bool verbose = false;
    bool no_progress = false;
    bool yes = false;
    bool version = false;

    /// For a Client: server, key file, connect time and, with -v, its events on stderr. The server is that of --server,
    /// --context, $TELPHER_SERVER, $TELPHER_CONTEXT, the current context, or the library's default; the key file that
    /// of --key-file, $TELPHER_KEY_FILE, or the context if that gave the server. Throws Failure if a context is wrong.
    [[nodiscard]] ClientOptions client_options() const;
    /// --timeout, or `otherwise`.
    [[nodiscard]] Millis timeout_or(Millis otherwise) const { return timeout.value_or(otherwise); }
};

/// How long administration waits for its answer unless --timeout says otherwise.
inline constexpr Millis kAnswerTimeout{10'000};

void add_global_flags(CLI::App& app, Globals& globals);

}  // namespace telpher::command
