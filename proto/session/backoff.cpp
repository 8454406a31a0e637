#include "proto/session/backoff.h"

#include <algorithm>

namespace telpher::session {

Duration Backoff::next(Random& random) {
    const Duration bound = bound_;
    bound_ = std::min(bound_ * 2, cap_);
    return Duration{static_cast<Duration::rep>(random.below(static_cast<std::uint64_t>(bound.count())))};
}

}  // namespace telpher::session
