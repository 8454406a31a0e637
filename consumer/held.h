// What a consumer says it holds when it attaches again. Pure function.
#pragma once

#include <cstddef>
#include <vector>

#include "proto/frame.h"

namespace telpher::consumer {

struct Held {
    std::vector<frame::Run> runs;      ///< Rising, apart; value = delivery.
    std::vector<frame::Run> left_out;  ///< What did not fit into `runs_max` runs: rising.
};

/// Merges runs in any order into at most `runs_max`. An offset that is there twice (released, then delivered again)
/// counts with its higher delivery.
Held merge_held(std::vector<frame::Run> runs, std::size_t runs_max);

}  // namespace telpher::consumer
