// How a line of the log is written: for people, or as a JSON object. Owned by a sink; used under its lock.
#pragma once

#include <spdlog/formatter.h>

#include <memory>

namespace telpher::service {

/// "2026-11-25T22:50:34.123+0000 info telpherd text". Control characters in the text are shown as \xNN: one event is
/// one line.
class TextFormatter final : public spdlog::formatter {
public:
    void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override;
    [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override;
};

/// {"time":"2026-11-25T22:50:34.123Z","level":"info","program":"telpherd","message":"text","event":"..."}: one object a
/// line, valid whatever the text holds.
class JsonFormatter final : public spdlog::formatter {
public:
    void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override;
    [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override;
};

}  // namespace telpher::service
