#include "proto/service/logging.h"

#include <pthread.h>
#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <future>
#include <memory>
#include <thread>

#include "proto/service/journald_sink.h"
#include "proto/service/log_formats.h"
#include "proto/service/log_line.h"

namespace telpher::service {
namespace {

constexpr const char* kJournalSocket = "/run/systemd/journal/socket";
constexpr std::size_t kLinesMax = 2048;  // waiting to be written

std::uint64_t reported_drops = 0;

spdlog::sink_ptr make_sink(LogFormat format) {
    if (format == LogFormat::kJournal) return std::make_shared<JournaldSink>();
    auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    if (format == LogFormat::kText) {
        sink->set_formatter(std::make_unique<TextFormatter>());
    } else {
        sink->set_formatter(std::make_unique<JsonFormatter>());
    }
    return sink;
}

}  // namespace

LogFormat choose_format(LogFormat asked, const char* journal_stream, int descriptor) {
    if (asked != LogFormat::kAuto) return asked;
    struct stat found {};
    if (journal_stream != nullptr && ::fstat(descriptor, &found) == 0 &&
        std::to_string(found.st_dev) + ":" + std::to_string(found.st_ino) == journal_stream) {
        return LogFormat::kJournal;
    }
    return ::isatty(descriptor) == 1 ? LogFormat::kText : LogFormat::kJson;
}

void start_logging(const std::string& program, LogFormat format, spdlog::level::level_enum level) {
    reported_drops = 0;
    spdlog::init_thread_pool(kLinesMax, 1, [] { ::pthread_setname_np(::pthread_self(), "log"); });
    LogFormat chosen = choose_format(format, std::getenv("JOURNAL_STREAM"), STDERR_FILENO);
    // sd_journal_sendv() drops what it is given where there is no journal, as in a container, and says nothing.
    const bool no_journal = chosen == LogFormat::kJournal && ::access(kJournalSocket, W_OK) != 0;
    if (no_journal) chosen = LogFormat::kJson;
    auto logger = std::make_shared<spdlog::async_logger>(program, make_sink(chosen), spdlog::thread_pool(),
                                                         spdlog::async_overflow_policy::overrun_oldest);
    spdlog::set_default_logger(std::move(logger));
    spdlog::set_level(level);
    if (no_journal) log_line(spdlog::level::warn, "log.no_journal", "there is no journal here: the log goes to stderr");
}

spdlog::level::level_enum log_level(const std::string& name) { return spdlog::level::from_str(name); }

std::uint64_t dropped_log_lines() {
    const auto pool = spdlog::thread_pool();
    return pool ? pool->overrun_counter() : 0;
}

void report_dropped_log_lines() {
    const auto pool = spdlog::thread_pool();
    if (!pool || pool->queue_size() > kLinesMax / 2) return;  // the report would push out a line
    const std::uint64_t dropped = pool->overrun_counter();
    if (dropped == reported_drops) return;
    const std::string count = std::to_string(dropped - reported_drops);
    reported_drops = dropped;
    log_line(spdlog::level::warn, "log.dropped", count + " log lines were lost: the log is read too slowly",
             {{"count", count}});
}

void stop_logging(std::chrono::milliseconds limit) {
    auto written = std::make_shared<std::promise<void>>();
    auto done = written->get_future();
    std::thread([written] {
        spdlog::shutdown();
        written->set_value();
    }).detach();
    static_cast<void>(done.wait_for(limit));
}

}  // namespace telpher::service
