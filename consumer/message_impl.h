// What a Message holds, in place: its lease and where its parts lie in the record. One per message, moved with it.
#pragma once

#include <cstdint>
#include <memory>

#include "consumer/delivery.h"
#include "telpher/client.h"

namespace telpher {

struct Message::Impl {
    /// Finds key and payload in `record`. Errors as batch::decode_record().
    static Result<Impl> decode(std::shared_ptr<consumer::Delivery> delivery, std::uint32_t index, Bytes record);

    std::shared_ptr<consumer::Delivery> delivery;  ///< nullptr: moved from.
    const std::byte* record = nullptr;             ///< Owned by the delivery.
    std::uint32_t record_bytes = 0;
    std::uint32_t index = 0;   ///< Within the delivery.
    std::uint32_t key_at = 0;  ///< Within the record.
    std::uint32_t key_bytes = 0;
    std::uint32_t payload_at = 0;
    bool settled = false;  ///< A verdict was given.
};

}  // namespace telpher
