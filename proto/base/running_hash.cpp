#include "proto/base/running_hash.h"

#include <xxhash.h>

#include "proto/base/check.h"

namespace telpher {

void RunningHash::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

RunningHash::RunningHash(std::uint64_t seed) : state_(XXH3_createState()) {
    TELPHER_CHECK_MSG(state_ != nullptr, "out of memory");
    reset(seed);
}

void RunningHash::reset(std::uint64_t seed) { XXH3_64bits_reset_withSeed(state_.get(), seed); }

void RunningHash::add(Bytes bytes) { XXH3_64bits_update(state_.get(), bytes.data(), bytes.size()); }

std::uint64_t RunningHash::value() const { return XXH3_64bits_digest(state_.get()); }

}  // namespace telpher
