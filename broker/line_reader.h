// The lines of an export, with a bound on their length and a sum over all of them. One thread.
#pragma once

#include <cstdint>
#include <istream>
#include <string>

#include "proto/base/running_hash.h"
#include "telpher/error.h"

namespace telpher::broker {

class LineReader {
public:
    explicit LineReader(std::istream& in) : in_(in) {}

    /// Takes the next line, without its end; false at the end of the file. kCorrupt if it is too long, or the last one
    /// has no end.
    Result<bool> next();
    [[nodiscard]] const std::string& line() const { return line_; }
    [[nodiscard]] std::uint64_t number() const { return number_; }  ///< Of the line, from 1 on.
    /// XXH3-64 of the lines before this one.
    [[nodiscard]] std::uint64_t sum_before() const { return sum_.value(); }

private:
    std::istream& in_;
    RunningHash sum_;
    std::string line_;
    std::uint64_t number_ = 0;
};

}  // namespace telpher::broker
