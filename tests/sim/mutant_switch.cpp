#include "tests/sim/mutant_switch.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include "proto/base/mutant.h"

namespace telpher {
namespace {

std::string g_on;
bool g_reached = false;

}  // namespace

bool mutant_on(std::string_view name) noexcept {
    if (name != g_on) return false;
    g_reached = true;
    return true;
}

}  // namespace telpher

namespace telpher::sim {

void switch_mutant_on(std::string name) { g_on = std::move(name); }

bool mutant_was_reached() noexcept { return g_reached; }

std::vector<std::string> all_mutants() {
    static const std::regex place(R"re(TELPHER_MUTANT\("([^"]+)"\))re");
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(TELPHER_SOURCE_DIR "/broker")) {
        if (entry.path().extension() != ".cpp") continue;
        std::ifstream file(entry.path());
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        for (std::sregex_iterator at(text.begin(), text.end(), place), end; at != end; ++at) names.push_back((*at)[1]);
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace telpher::sim
