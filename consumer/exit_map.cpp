#include "consumer/exit_map.h"

#include <string>

#include "proto/base/units.h"

namespace telpher {
namespace {

constexpr std::array<std::string_view, 7> kWords{"ack", "retry", "fail", "dead", "release", "pause", "broken"};
constexpr std::uint64_t kStatusMax = 255;

}  // namespace

std::string_view word(Action action) { return kWords.at(static_cast<std::size_t>(action)); }

ExitMap::ExitMap() {
    actions_.fill(Action::kFail);
    actions_[0] = Action::kAck;
    actions_[75] = actions_[111] = Action::kRetry;  // EX_TEMPFAIL, qmail
    actions_[69] = Action::kPause;                  // EX_UNAVAILABLE
    actions_[65] = actions_[100] = Action::kDead;   // EX_DATAERR, qmail
    actions_[126] = actions_[127] = Action::kBroken;
}

Result<void> ExitMap::change(std::string_view text) {
    while (!text.empty()) {
        const std::string_view rule = text.substr(0, text.find(','));
        text.remove_prefix(rule.size() == text.size() ? rule.size() : rule.size() + 1);
        const std::size_t equals = rule.find('=');
        const auto status = parse_count(rule.substr(0, equals), 0, kStatusMax);
        if (equals == std::string_view::npos || !status)
            return fail(Code::kUsage, "--exit-map takes STATUS=ACTION,...: " + std::string(rule));
        const std::string_view name = rule.substr(equals + 1);
        std::size_t at = 0;
        while (at < kWords.size() - 1 && kWords.at(at) != name) ++at;
        if (at == kWords.size() - 1)
            return fail(Code::kUsage, "--exit-map: actions are ack, retry, fail, dead, release and pause, not \"" +
                                          std::string(name) + "\"");
        actions_.at(*status) = static_cast<Action>(at);
    }
    return {};
}

}  // namespace telpher
