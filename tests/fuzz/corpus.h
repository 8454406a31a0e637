// Inputs that lie in a file of their own, corpus/WHAT.hex: what a long run found, as far as seeds in the code do not
// reach it. Text, so that a change of it can be read: one input a line, two hex digits a byte; # begins a comment.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace telpher::fuzz {

inline std::string from_hex(const std::string& line) {
    std::string bytes;
    for (std::size_t at = 0; at + 1 < line.size(); at += 2) {
        bytes.push_back(static_cast<char>(std::stoul(line.substr(at, 2), nullptr, 16)));
    }
    return bytes;
}

/// Those in the code, then those of the file, if one is named. Throws std::runtime_error if it cannot be read.
inline std::vector<std::string> all_seeds(const std::filesystem::path& corpus) {
    std::vector<std::string> all = seeds();
    if (corpus.empty()) return all;
    std::ifstream file(corpus);
    if (!file) throw std::runtime_error("cannot read " + corpus.string());
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with('#')) all.push_back(from_hex(line));
    }
    return all;
}

}  // namespace telpher::fuzz
