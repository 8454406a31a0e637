// Named brokers of a person: URL and key file, in $XDG_CONFIG_HOME/telpher/contexts.toml (else ~/.config/telpher).
// Values; one process writes at a time (the last one wins, the file is whole at every moment).
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "telpher/error.h"

namespace telpher::command {

struct Context {
    std::string server;
    std::string key_file;  ///< Absolute; empty: none.
    bool operator==(const Context&) const = default;
};

struct Contexts {
    std::string current;  ///< Used when nothing else names a broker; empty: none.
    std::map<std::string, Context> all;

    /// kConfig if there is none of that name.
    [[nodiscard]] Result<Context> find(const std::string& name) const;
    bool operator==(const Contexts&) const = default;
};

/// kConfig: there is neither $XDG_CONFIG_HOME nor $HOME.
Result<std::filesystem::path> contexts_path();
/// An absent file is no contexts at all. kConfig, with the place, if it is wrong.
Result<Contexts> load_contexts(const std::filesystem::path& path);
/// Makes the folder if need be. kIo.
Result<void> save_contexts(const std::filesystem::path& path, const Contexts& contexts);

}  // namespace telpher::command
