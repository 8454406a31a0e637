#include "tests/support/deadline.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

namespace telpher::test {

int Deadline::left_ms() const {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left()).count();
    return static_cast<int>(std::clamp<std::int64_t>(ms, 0, 3'600'000));
}

bool eventually(Duration limit, const std::function<bool()>& done, Duration pause) {
    const Deadline deadline(limit);
    while (!done()) {
        if (deadline.passed()) return done();
        pass_time(std::min(pause, deadline.left()));
    }
    return true;
}

void pass_time(Duration time) {
    const Deadline deadline(time);
    while (!deadline.passed()) {
        const auto left = std::max(deadline.left(), Duration::zero());
        timespec wait{static_cast<time_t>(left.count() / 1'000'000'000),
                      static_cast<long>(left.count() % 1'000'000'000)};
        ::ppoll(nullptr, 0, &wait, nullptr);
    }
}

}  // namespace telpher::test
