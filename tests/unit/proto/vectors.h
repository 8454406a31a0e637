// The test vectors of docs/protocol/vectors/vectors.txt, as a client's author would read them. Values; loaded per test.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace telpher::test {

/// Frames of each vector, by name.
using Vectors = std::map<std::string, std::vector<std::string>, std::less<>>;

/// Reads the file; fails the running test if it cannot be read or makes no sense.
Vectors load_vectors();

}  // namespace telpher::test
