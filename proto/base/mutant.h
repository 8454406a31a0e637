// TELPHER_MUTANT("name"): the place of a bug made on purpose, to prove that the simulation would notice it. A constant
// false in all that is installed, so it costs nothing there; tests/sim/mutants builds the broker with TELPHER_MUTANTS
// and switches them on, one at a time. A mutant is one short condition in the code it breaks, never in a header.
#pragma once

#ifdef TELPHER_MUTANTS

#include <string_view>

namespace telpher {

/// The mutant of this name is on.
bool mutant_on(std::string_view name) noexcept;

}  // namespace telpher

#define TELPHER_MUTANT(name) ::telpher::mutant_on(name)

#else

#define TELPHER_MUTANT(name) false

#endif
