#include "consumer/outcome.h"

#include "proto/command/exit.h"

namespace telpher {

Outcome not_started(const Error& error) {
    if (error.code() == Code::kStopped) return {Action::kRelease};
    if (error.code() == Code::kConfig) return {Action::kBroken, error.detail()};
    command::print_error(error);
    return {Action::kPause};
}

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
