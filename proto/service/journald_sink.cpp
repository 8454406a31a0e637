#include "proto/service/journald_sink.h"

#include <sys/uio.h>
#include <syslog.h>
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <cstdio>

#include "proto/service/log_line.h"

namespace telpher::service {
namespace {

int priority(spdlog::level::level_enum level) {
    switch (level) {
        case spdlog::level::trace:
        case spdlog::level::debug:
            return LOG_DEBUG;
        case spdlog::level::warn:
            return LOG_WARNING;
        case spdlog::level::err:
            return LOG_ERR;
        case spdlog::level::critical:
            return LOG_CRIT;
        default:
            return LOG_INFO;
    }
}

std::string field(std::string_view name, std::string_view value) {
    std::string out(name);
    out.push_back('=');
    return out.append(value);
}

}  // namespace

std::vector<std::string> journal_fields(const spdlog::details::log_msg& message) {
    const LogLine line = split_line({message.payload.data(), message.payload.size()});
    std::vector<std::string> fields{
        field("MESSAGE", line.text), field("PRIORITY", std::to_string(priority(message.level))),
        field("SYSLOG_IDENTIFIER", {message.logger_name.data(), message.logger_name.size()}),
        field("TID", std::to_string(message.thread_id))};
    for (const auto& [name, value] : line.fields) {
        std::string upper = "TELPHER_";
        for (const char c : name) upper += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        fields.push_back(field(upper, value));
    }
    return fields;
}

void JournaldSink::sink_it_(const spdlog::details::log_msg& message) {
    std::vector<std::string> fields = journal_fields(message);
    std::vector<iovec> parts;
    parts.reserve(fields.size());
    for (std::string& text : fields) parts.push_back({text.data(), text.size()});
    if (::sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0) return;
    // The journal restarts or is full: stderr leads there too.
    std::fprintf(stderr, "%s\n", fields.front().c_str() + sizeof "MESSAGE");
}

}  // namespace telpher::service
