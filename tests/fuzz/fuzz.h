// What a fuzz program consists of: the entry point that libFuzzer and driver.cpp call, and inputs to start from.
// One thread; the entry point keeps nothing between calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// Runs the decoder over one input. Returns 0; a broken promise of the decoder aborts the process.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace telpher::fuzz {

/// Valid inputs, which driver.cpp mutates, and libFuzzer too (write_seeds.cpp). More may lie in corpus/ (corpus.h).
std::vector<std::string> seeds();

}  // namespace telpher::fuzz
