// A record's meta as JSON, for dump. Pure functions.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "broker/log/log.h"
#include "broker/log/records.pb.h"

namespace telpher::log {

/// The meta of a record of that kind; nothing if it does not decode or the kind is not known.
[[nodiscard]] std::optional<nlohmann::ordered_json> meta_json(Kind kind, Bytes meta);
[[nodiscard]] nlohmann::ordered_json snapshot_json(const v1::SnapshotMeta& meta);

}  // namespace telpher::log
