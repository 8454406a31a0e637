#include "proto/config/resolve.h"

#include <algorithm>

#include "proto/config/environment.h"
#include "proto/config/toml_reader.h"

namespace telpher::config {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> drop_ins(const fs::path& folder, Problems& problems) {
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
        const std::string name = at->path().filename().string();
        if (name.ends_with(".toml") && !name.starts_with(".")) files.push_back(at->path());
    }
    if (error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory) {
        problems.push_back({folder.string(), "cannot be read: " + error.message()});
    }
    std::sort(files.begin(), files.end());
    return files;
}

void merge(Layer& into, Layer&& from) {
    for (auto& [index, given] : from) into[index] = std::move(given);
}

void read_drop_ins(const Settings& settings, const fs::path& folder, Layer& layer, Problems& problems) {
    Layer all;
    for (const fs::path& file : drop_ins(folder, problems)) {
        Layer one;
        read_toml_file(settings, file, one, problems);
        for (auto& [index, given] : one) {
            const auto [first, fresh] = all.try_emplace(index, given);
            if (fresh) continue;
            problems.push_back({given.origin.place(), "'" + settings[index].path + "' is already set in " +
                                                          first->second.origin.place() + ": one of them must go"});
        }
    }
    merge(layer, std::move(all));
}

}  // namespace

bool Resolved::given(const Settings& settings, std::string_view path) const {
    return values.at(find(settings, path).value()).origin.kind != Origin::Kind::kDefault;
}

void Resolved::complain(const Settings& settings, std::initializer_list<std::string_view> paths, std::string text) {
    const auto wrong = [&](std::string_view path) {
        return std::any_of(problems.begin(), problems.end(), [&](const Problem& p) { return p.path == path; });
    };
    if (std::any_of(paths.begin(), paths.end(), wrong)) return;
    std::string place(*paths.begin());
    for (const std::string_view path : paths) {
        const auto index = find(settings, path);
        if (!index || values[*index].origin.kind == Origin::Kind::kDefault) continue;
        place = values[*index].origin.place();
        break;
    }
    problems.push_back({std::move(place), std::move(text)});
}

namespace {

/// Flags were read before there were problems to collect.
void check_secret_flags(const Settings& settings, Layer& layer, Problems& problems) {
    for (auto& [index, given] : layer) {
        const Setting& setting = settings[index];
        if (setting.kind != Kind::kSecretFile || given.origin.kind != Origin::Kind::kFlag) continue;
        auto checked = check_range(setting, given.value, setting.path);
        if (checked) {
            given.value = std::move(*checked);
        } else {
            problems.push_back({given.origin.place(), checked.error().detail(), setting.path});
        }
    }
}

}  // namespace

Resolved resolve(const Settings& settings, const Sources& sources) {
    Resolved resolved;
    Layer layer;
    if (!sources.file.empty()) {
        std::error_code error;
        if (sources.file_required || fs::exists(sources.file, error)) {
            read_toml_file(settings, sources.file, layer, resolved.problems);
        }
        read_drop_ins(settings, sources.file.parent_path() / "conf.d", layer, resolved.problems);
    }
    Layer variables;
    read_environment(settings, sources.variables, variables, resolved.problems);
    merge(layer, std::move(variables));
    merge(layer, Layer(sources.flags));
    check_secret_flags(settings, layer, resolved.problems);
    for (std::size_t index = 0; index < settings.size(); ++index) {
        const auto found = layer.find(index);
        resolved.values.push_back(found == layer.end() ? Given{settings[index].fallback, {}} : found->second);
    }
    return resolved;
}

std::vector<Change> changes(const Resolved& before, const Resolved& after) {
    std::vector<Change> found;
    for (std::size_t index = 0; index < before.values.size(); ++index) {
        if (before.values[index].value == after.values[index].value) continue;
        found.push_back({index, before.values[index], after.values[index]});
    }
    return found;
}

}  // namespace telpher::config
