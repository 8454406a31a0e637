#include "proto/service/log_line.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace telpher::service {
namespace {

// ASCII's own unit separator: no text of ours holds it, and what others wrote loses it.
constexpr char kSeparator = '\x1f';

void append_clean(std::string& out, std::string_view text) {
    const std::size_t from = out.size();
    out.append(text);
    std::replace(out.begin() + static_cast<std::ptrdiff_t>(from), out.end(), kSeparator, ' ');
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    out.push_back(kSeparator);
    append_clean(out, name);
    out.push_back('=');
    append_clean(out, value);
}

}  // namespace

void log_line(spdlog::level::level_enum level, std::string_view event, std::string_view text,
              std::initializer_list<Field> fields) {
    spdlog::logger* logger = spdlog::default_logger_raw();
    if (logger == nullptr || !logger->should_log(level)) return;  // null: the log has ended
    std::string line;
    append_clean(line, text);
    append_field(line, "event", event);
    for (const auto& [name, value] : fields) append_field(line, name, value);
    logger->log(level, spdlog::string_view_t(line.data(), line.size()));
}

LogLine split_line(std::string_view payload) {
    LogLine line;
    line.text = payload.substr(0, payload.find(kSeparator));
    payload.remove_prefix(line.text.size());
    while (!payload.empty()) {
        payload.remove_prefix(1);
        const std::string_view field = payload.substr(0, payload.find(kSeparator));
        payload.remove_prefix(field.size());
        const std::size_t equals = field.find('=');
        if (equals != std::string_view::npos)
            line.fields.emplace_back(field.substr(0, equals), field.substr(equals + 1));
    }
    return line;
}

}  // namespace telpher::service
