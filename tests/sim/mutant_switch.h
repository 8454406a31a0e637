// Switches mutants on (proto/base/mutant.h), in the program that is built with them. One process, one mutant: set once,
// before anything else runs.
#pragma once

#include <string>
#include <vector>

namespace telpher::sim {

/// From now on that mutant is on; an empty name is none.
void switch_mutant_on(std::string name);
/// The code that has the mutant was run.
bool mutant_was_reached() noexcept;
/// The names of all mutants in the broker's sources, in order.
std::vector<std::string> all_mutants();

}  // namespace telpher::sim
