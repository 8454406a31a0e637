#include "consumer/outcome.h"

namespace telpher {
namespace {

constexpr Millis kRetryDelay{1'000};

}  // namespace

Verdict to_verdict(const Outcome& outcome) {
    switch (outcome.action) {
        case Action::kAck:
            return Verdict::ack();
        case Action::kRetry:
        case Action::kFail:
        case Action::kDead:
            return Verdict::nack(outcome.delay == Millis::min() ? kRetryDelay : outcome.delay);
        case Action::kRelease:
        case Action::kPause:
        case Action::kBroken:
            break;
    }
    return Verdict::release();
}

}  // namespace telpher
