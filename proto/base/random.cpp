#include "proto/base/random.h"

#include <sys/random.h>

#include "proto/base/check.h"

namespace telpher {

std::uint64_t system_entropy() {
    std::uint64_t value = 0;
    const auto got = getrandom(&value, sizeof value, 0);
    TELPHER_CHECK_MSG(got == static_cast<ssize_t>(sizeof value), "getrandom");
    return value;
}

}  // namespace telpher
