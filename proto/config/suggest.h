// What somebody may have meant who wrote a name that is none. Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace telpher::config {

/// Letters to insert, delete, replace or swap with their neighbour to make one word of the other.
std::size_t edit_distance(std::string_view left, std::string_view right);

/// The nearest of the candidates, if it is near enough to have been meant; else empty.
std::string suggest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace telpher::config
