// Deliveries made by hand, for tests of what holds them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "consumer/delivery.h"
#include "consumer/settle_batcher.h"
#include "proto/batch.h"

namespace telpher::consumer {

/// Remembers verdicts; confirms at once.
class FakeOwner : public LeaseOwner {
public:
    struct Given {
        std::uint64_t offset;
        Decision decision;
    };
    void settle(Delivery& delivery, std::uint32_t index, const Decision& decision) noexcept override {
        given.push_back({delivery.first() + index, decision});
    }
    Result<void> ack_confirmed(Delivery& delivery, std::uint32_t index, Millis) override {
        settle(delivery, index, {});
        return {};
    }
    Result<void> extend(const Delivery&, std::uint32_t, Millis lease, Millis) override {
        extended = lease;
        return {};
    }
    std::vector<Given> given;
    Millis extended{0};
};

/// The two body frames of records.
struct Bodies {
    Slice lengths;
    Slice records;
};
inline Bodies make_bodies(const std::vector<std::string>& records) {
    std::string lengths;
    std::string bytes;
    for (const std::string& record : records) {
        const auto size = static_cast<std::uint32_t>(record.size());
        lengths.append(reinterpret_cast<const char*>(&size), sizeof size);
        bytes += record;
    }
    return {Slice::own(lengths), Slice::own(bytes)};
}

/// A record with nothing but a payload.
inline std::string plain(std::string_view payload) { return std::string(1, '\0').append(payload); }

inline std::shared_ptr<Delivery> make_delivery(std::uint64_t first, std::uint32_t count, std::uint32_t number = 1,
                                               std::shared_ptr<LeaseOwner> owner = std::make_shared<FakeOwner>()) {
    v1::Deliver header;
    header.set_count(count);
    header.set_first_offset(first);
    header.set_delivery(number);
    header.set_attempt(1);
    std::vector<std::string> records;
    for (std::uint32_t i = 0; i < count; ++i) records.push_back(plain(std::to_string(first + i)));
    Bodies bodies = make_bodies(records);
    return *Delivery::parse(header, bodies.lengths, bodies.records, std::move(owner));
}

}  // namespace telpher::consumer
