#include "producer/open_queue.h"

namespace telpher {

Result<Queue> open_queue(Client& client, const std::string& name, const OpenFlags& flags,
                         const command::Globals& globals, const std::stop_token& stop) {
    QueueOptions options = flags.options;
    options.create = flags.create;
    options.wait = flags.wait;
    auto queue = client.open(name, options, globals.timeout_or(flags.wait ? kForever : command::kAnswerTimeout), stop);
    const bool waited = flags.wait && !queue && queue.error().code() == Code::kTimeout;
    return waited ? fail(Code::kTimeout, "waited for the queue " + name) : std::move(queue);
}

}  // namespace telpher
