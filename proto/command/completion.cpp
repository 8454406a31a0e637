#include "proto/command/completion.h"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace telpher::command {
namespace {

// `__complete` prints a candidate a line: the word, a tab, and what it does.
constexpr std::string_view kBash =
    R"(# Completion of Telpher's programs for bash: source it, or put it into /usr/share/bash-completion/completions/telpher.
_telpher() {
    local IFS=$'\n' word gap rest=$COMP_LINE i
    local -a words=()
    # bash splits at ':' and '=' as well: what has no space before it belongs to the word before.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ -n $word ]]; then
            gap=${rest%%"$word"*}
            rest=${rest:${#gap}+${#word}}
        else
            gap=${rest%%[^[:space:]]*}
        fi
        if [[ -n $gap || $i -eq 0 ]]; then words+=("$word"); else words[-1]+=$word; fi
    done
    # The words as they were typed: quotes go, a ~ leads home, nothing else is expanded.
    for i in "${!words[@]}"; do
        words[i]=${words[i]//[\"\'\\]/}
        [[ ${words[i]} != "~/"* ]] || words[i]=$HOME/${words[i]:2}
    done
    COMPREPLY=($("${words[0]}" __complete "${words[@]:1}" 2>/dev/null | cut -f 1))
    word=${words[-1]}
    COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*[:=]}"}"}")
}
complete -o default -F _telpher telpher telpherd telpher-producer telpher-consumer
)";

constexpr std::string_view kZsh = R"(#compdef telpher telpherd telpher-producer telpher-consumer
# Completion of Telpher's programs for zsh: put it into a folder of $fpath as _telpher.
_telpher() {
    local -a candidates
    local line
    for line in "${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        [[ -z $line ]] || candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    if (( ${#candidates} )); then
        _describe telpher candidates
    else
        _files
    fi
}
if [[ $funcstack[1] == _telpher ]]; then
    _telpher "$@"
else
    compdef _telpher telpher telpherd telpher-producer telpher-consumer
fi
)";

std::vector<const CLI::App*> commands(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

const CLI::Option* find_option(const CLI::App& app, const std::string& word) {
    for (const CLI::App* at = &app; at != nullptr; at = at->get_parent()) {
        for (const CLI::Option* option : at->get_options()) {
            if (option->nonpositional() && option->check_name(word)) return option;
        }
    }
    return nullptr;
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

/// Where the words before the one that is completed have led.
struct Place {
    const CLI::App* app;
    std::size_t positionals = 0;         ///< Given so far to that app.
    const CLI::Option* value = nullptr;  ///< The word is the value of this option.
    bool operands = false;               ///< After `--`.
};

Place follow(const CLI::App& app, const std::vector<std::string>& words) {
    Place place{&app};
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        const std::string& word = words[i];
        if (place.value != nullptr) {
            place.value = nullptr;
        } else if (place.operands) {
            ++place.positionals;
        } else if (word == "--") {
            place.operands = true;
        } else if (word.starts_with('-') && word != "-") {
            const CLI::Option* option = find_option(*place.app, word);
            if (option != nullptr && takes_value(*option)) place.value = option;
        } else {
            const auto all = commands(*place.app);
            const auto command =
                std::find_if(all.begin(), all.end(), [&](const CLI::App* each) { return each->get_name() == word; });
            if (command == all.end()) {
                ++place.positionals;
            } else {
                place = Place{*command};
            }
        }
    }
    return place;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::vector<Candidate> options_of(const CLI::App& app) {
    std::vector<Candidate> all;
    for (const CLI::App* at = &app; at != nullptr; at = at->get_parent()) {
        for (const CLI::Option* option : at->get_options()) {
            if (!option->nonpositional() || option->get_group().empty()) continue;
            // --help of each command above is the same one.
            if (at != &app && option == at->get_help_ptr()) continue;
            for (const std::string& name : option->get_lnames()) {
                all.push_back({"--" + name, first_line(option->get_description())});
            }
        }
    }
    return all;
}

const CLI::Option* positional(const CLI::App& app, std::size_t index) {
    for (const CLI::Option* option : app.get_options()) {
        if (option->get_positional() && index-- == 0) return option;
    }
    return nullptr;
}

}  // namespace

std::vector<Candidate> complete(const CLI::App& app, const std::vector<std::string>& words,
                                const QueueNames& queue_names) {
    const std::string word = words.empty() ? "" : words.back();
    const Place place = follow(app, words);
    std::vector<Candidate> all;
    if (place.value != nullptr) return all;
    if (word.starts_with('-') && !place.operands) {
        all = options_of(*place.app);
    } else {
        for (const CLI::App* command : commands(*place.app)) {
            all.push_back({command->get_name(), first_line(command->get_description())});
        }
        const CLI::Option* here = positional(*place.app, place.positionals);
        if (here != nullptr && here->get_name(true) == "QUEUE" && queue_names) {
            for (const std::string& name : queue_names()) all.push_back({name, "queue"});
        }
    }
    std::erase_if(all, [&](const Candidate& candidate) { return !candidate.word.starts_with(word); });
    return all;
}

Result<std::string_view> completion_script(std::string_view shell) {
    if (shell == "bash") return kBash;
    if (shell == "zsh") return kZsh;
    return fail(Code::kUsage, "completion of which shell? bash or zsh");
}

}  // namespace telpher::command
