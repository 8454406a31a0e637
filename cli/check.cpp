#include "cli/check.h"

#include "proto/command/message_json.h"

namespace telpher::cli {
namespace {

using command::Json;

bool well(const Findings& findings) { return findings.known && findings.wrong.empty(); }

std::string joined(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts) text += (text.empty() ? "" : "; ") + part;
    return text;
}

std::string nagios(const Findings& findings) {
    const char* state = well(findings) ? "OK" : findings.known ? "CRITICAL" : "UNKNOWN";
    std::string text = "TELPHER " + std::string(state) + " - " + findings.subject;
    if (!findings.wrong.empty()) text += ": " + joined(findings.wrong);
    for (std::size_t i = 0; i < findings.figures.size(); ++i) {
        const auto& [name, value] = findings.figures[i];
        text += (i == 0 ? " | " : " ") + name + "=" + std::to_string(value);
    }
    return text + "\n";
}

std::string json(const Findings& findings) {
    Json object{{"check", findings.subject}, {"ok", well(findings)}, {"known", findings.known}};
    object["wrong"] = findings.wrong;
    for (const auto& [name, value] : findings.figures) object[name] = value;
    return command::dump(object) + "\n";
}

}  // namespace

Findings check_queue(const QueueStats& queue, const QueueDemands& demands) {
    Findings findings{.subject = queue.name,
                      .known = true,
                      .wrong = {},
                      .figures = {{"ready", queue.ready},
                                  {"leased", queue.leased},
                                  {"dead", queue.dead},
                                  {"blocked_producers", queue.blocked_producers},
                                  {"consumers", queue.consumers}}};
    const auto at_most = [&](const char* what, std::uint64_t value, const std::optional<std::uint64_t>& max) {
        if (max && value > *max)
            findings.wrong.push_back(std::to_string(value) + " " + what + ", at most " + std::to_string(*max));
    };
    at_most("ready", queue.ready, demands.ready_max);
    at_most("dead", queue.dead, demands.dead_max);
    at_most("blocked producers", queue.blocked_producers, demands.blocked_max);
    if (demands.consumers_min && queue.consumers < *demands.consumers_min) {
        findings.wrong.push_back(std::to_string(queue.consumers) + " consumers, at least " +
                                 std::to_string(*demands.consumers_min));
    }
    return findings;
}

Findings unknown(std::string subject, const Error& error) {
    return {.subject = std::move(subject), .known = false, .wrong = {error.message()}, .figures = {}};
}

std::string render(const Findings& findings, CheckFormat format) {
    if (format == CheckFormat::kNagios) return nagios(findings);
    if (format == CheckFormat::kJson) return json(findings);
    return findings.subject + ": " + (well(findings) ? "ok" : joined(findings.wrong)) + "\n";
}

int exit_status(const Findings& findings, CheckFormat format) {
    if (well(findings)) return 0;
    if (format != CheckFormat::kNagios) return 1;
    return findings.known ? 2 : 3;
}

}  // namespace telpher::cli
