// What the tests load with `telpher run --so`.
#include "telpher/handler.h"
#include "tests/support/crash_work.h"

namespace {

telpher::handler::Verdict handle(const telpher::handler::Message& message) {
    if (message.body() == "pause" && message.delivery() == 1) return telpher::handler::Verdict::pause();
    telpher::test::do_work(message.body(), message.id(), message.attempt());
    return telpher::handler::Verdict::ack();
}

}  // namespace

TELPHER_HANDLER(handle)
