#include "broker/descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <string>

#include "proto/limits.h"

namespace telpher::broker {
namespace {

constexpr rlim_t kDescriptorsWanted = 65'536;

}  // namespace

Result<void> raise_descriptors(std::size_t connections_max) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const rlim_t wanted = std::max<rlim_t>(kDescriptorsWanted, connections_max + limits::kDescriptorReserve);
    limit.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, wanted));
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= connections_max + limits::kDescriptorReserve) return {};
    return fail(Code::kConfig, "at most " + std::to_string(limit.rlim_cur) + " descriptors are allowed, but " +
                                   std::to_string(connections_max) + " connections need " +
                                   std::to_string(connections_max + limits::kDescriptorReserve) +
                                   ": raise the hard limit (ulimit -Hn, LimitNOFILE=) or lower --connections-max");
}

}  // namespace telpher::broker
