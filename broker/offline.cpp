#include "broker/offline.h"

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <system_error>

#include "broker/daemon.h"
#include "broker/log/dump.h"
#include "broker/log/fsck.h"
#include "broker/resting_log.h"
#include "proto/base/clock.h"

namespace telpher::broker {
namespace {

log::DumpOptions filter_of(const std::string& queue) {
    log::DumpOptions filter;
    if (queue.empty()) return filter;
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(queue.data(), queue.data() + queue.size(), number);
    if (error == std::errc() && end == queue.data() + queue.size()) {
        filter.queue = QueueId(number);
    } else {
        filter.queue_name = queue;
    }
    return filter;
}

}  // namespace

Result<log::DirLock> take_log(const OfflineOptions& options) {
    auto lock = log::DirLock::take(options.data_dir);
    std::error_code ignored;
    if (lock && !std::filesystem::exists(shard_dir(options), ignored))
        return fail(Code::kNotFound, options.data_dir + " holds no log");
    return lock;
}

int report(const Error& error) {
    std::fprintf(stderr, "telpherd: %s\n", error.message().c_str());
    return exit_status(error.code());
}

std::string shard_dir(const OfflineOptions& options) { return options.data_dir + "/shard-0"; }

int dump(const OfflineOptions& options) {
    const auto lock = take_log(options);
    if (!lock) return report(lock.error());
    const auto done = log::dump(log::posix_file_system(), shard_dir(options), filter_of(options.queue), std::cout);
    std::cout.flush();
    return done ? 0 : report(done.error());
}

int fsck(const OfflineOptions& options) {
    const auto lock = take_log(options);
    if (!lock) return report(lock.error());
    const auto accept = [&options] {
        const auto log = RestingLog::open(log::posix_file_system(), shard_dir(options), system_clock());
        return log ? Result<void>() : fail(log.error());
    };
    const auto result = log::fsck(log::posix_file_system(), shard_dir(options), std::cout,
                                  {.repair = options.repair, .dry_run = options.dry_run, .accept = accept});
    if (!result) return report(result.error());
    if (!std::cout.flush()) return report(Error(Code::kIo, "cannot write the findings"));
    return static_cast<int>(*result);
}

}  // namespace telpher::broker
