#include "tests/support/seed.h"

#include <gtest/gtest.h>

#include <charconv>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "proto/base/random.h"

namespace telpher::test {

std::uint64_t count_from_env(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    if (text == nullptr) return otherwise;
    const std::string_view digits(text);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) {
        throw std::runtime_error(std::string(name) + " is not a number: " + text);
    }
    return value;
}

std::uint64_t test_seed() {
    // Small, so that it is easy to copy.
    const std::uint64_t seed = count_from_env("TELPHER_SEED", system_entropy() % 1'000'000'000);
    std::cout << "TELPHER_SEED=" << seed << std::endl;
    testing::Test::RecordProperty("seed", std::to_string(seed));
    return seed;
}

}  // namespace telpher::test
