// XXH3-64 of bytes that come in parts. A value that moves; one thread.
#pragma once

#include <cstdint>
#include <memory>

#include "proto/base/bytes.h"

struct XXH3_state_s;

namespace telpher {

class RunningHash {
public:
    explicit RunningHash(std::uint64_t seed = 0);
    /// As if nothing had been added.
    void reset(std::uint64_t seed = 0);
    void add(Bytes bytes);
    /// Of all that was added since the last reset().
    [[nodiscard]] std::uint64_t value() const;

private:
    struct Free {
        void operator()(XXH3_state_s* state) const;
    };
    std::unique_ptr<XXH3_state_s, Free> state_;  // the library alone knows its size
};

}  // namespace telpher
