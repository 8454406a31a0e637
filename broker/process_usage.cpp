#include "broker/process_usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "proto/base/clock.h"

namespace telpher::broker {
namespace {

std::uint64_t microseconds(const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_usec);
}

std::uint64_t count_descriptors() {
    std::error_code error;
    const std::filesystem::directory_iterator listed("/proc/self/fd", error);
    return error ? 0 : static_cast<std::uint64_t>(std::distance(begin(listed), end(listed)));
}

/// The fields of /proc/self/stat from the third on: the second, a name, may hold anything.
void read_stat(ProcessUsage& usage) {
    std::ifstream file("/proc/self/stat");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    std::istringstream fields(text.substr(std::min(text.rfind(')') + 1, text.size())));
    std::string skipped;
    for (int field = 3; field < 20; ++field) fields >> skipped;
    std::uint64_t start_ticks = 0;
    fields >> usage.threads >> skipped >> start_ticks;
    // Not from /proc/stat: a unit with ProcSubset=pid does not see it. The clock counts since the start of the machine.
    const double booted =
        static_cast<double>(system_clock().wall().ms) / 1e3 - static_cast<double>(system_clock().now().ns) / 1e9;
    const auto per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
    usage.started_seconds = booted + static_cast<double>(start_ticks) / per_second;
}

}  // namespace

ProcessUsage process_usage() {
    ProcessUsage usage;
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    usage.cpu_us = microseconds(used.ru_utime) + microseconds(used.ru_stime);
    std::uint64_t all = 0;
    std::uint64_t resident = 0;
    std::ifstream("/proc/self/statm") >> all >> resident;
    const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    usage.virtual_bytes = all * page;
    usage.resident_bytes = resident * page;
    return usage;
}

ProcessUsage full_process_usage() {
    ProcessUsage usage = process_usage();
    read_stat(usage);
    usage.descriptors = count_descriptors();
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    usage.descriptors_max = limit.rlim_cur;
    return usage;
}

}  // namespace telpher::broker
