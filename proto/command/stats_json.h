// What is known of a queue and of a broker, as JSON: the same names on the command line (`-o json`) and on the admin
// port. Pure functions; any thread.
#pragma once

#include "proto/command/message_json.h"
#include "telpher/client.h"

namespace telpher::command {

Json to_json(const QueueStats& queue);
Json to_json(const BrokerStats& broker);

}  // namespace telpher::command
