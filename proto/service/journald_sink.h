// A spdlog sink that gives the system's journal each line with its fields: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER,
// TELPHER_EVENT, TELPHER_QUEUE and so on. spdlog's own writes the text only. Used by the log's thread.
#pragma once

#include <spdlog/sinks/base_sink.h>

#include <mutex>
#include <string>
#include <vector>

namespace telpher::service {

class JournaldSink final : public spdlog::sinks::base_sink<std::mutex> {
protected:
    void sink_it_(const spdlog::details::log_msg& message) override;
    void flush_() override {}
};

/// What the journal is given for a line: NAME=VALUE.
std::vector<std::string> journal_fields(const spdlog::details::log_msg& message);

}  // namespace telpher::service
