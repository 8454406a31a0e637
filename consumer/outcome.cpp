#include "consumer/outcome.h"

namespace telpher {

Verdict to_verdict(const Outcome& outcome) {
    switch (outcome.action) {
        case Action::kAck:
            return Verdict::ack();
        case Action::kRetry:
        case Action::kFail:
            return outcome.delay ? Verdict::nack(*outcome.delay, outcome.reason) : Verdict::nack(outcome.reason);
        case Action::kDead:
            return Verdict::dead(outcome.reason);
        case Action::kRelease:
        case Action::kPause:
        case Action::kBroken:
            break;
    }
    return Verdict::release();
}

}  // namespace telpher
