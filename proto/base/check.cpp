#include "proto/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace telpher {

void check_failed(const char* condition, const char* file, int line, std::string_view detail) noexcept {
    std::fprintf(stderr, "telpher: invariant broken: %s at %s:%d %.*s\n", condition, file, line,
                 static_cast<int>(detail.size()), detail.data());
    std::fflush(stderr);
    std::abort();
}

}  // namespace telpher
