// What the broker answers, as JSON (stable, docs/reference/cli.md) and as tables for people. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "proto/command/globals.h"
#include "proto/command/message_json.h"
#include "telpher/client.h"

namespace telpher::cli {

using command::Json;

Json to_json(const QueueStats& queue);
Json to_json(const BrokerStats& broker);
Json to_json(const Peeked& message);

/// The list as `globals.output` asks for: a table, one JSON document (an array), or an object a line.
std::string render(const std::vector<QueueStats>& queues, const command::Globals& globals);
std::string render(const std::vector<Peeked>& messages, const command::Globals& globals);
/// Dead letters: a line each with why it died, instead of its body.
std::string render_dead(const std::vector<Peeked>& messages, const command::Globals& globals);
/// One thing: name and value a line, or one object.
std::string render(const QueueStats& queue, const command::Globals& globals);
std::string render(const BrokerStats& broker, const command::Globals& globals);

}  // namespace telpher::cli
