// The lines of an export, with a bound on their length and a sum over all of them. One thread.
#pragma once

#include <cstdint>
#include <istream>
#include <memory>
#include <string>

#include "telpher/error.h"

struct XXH3_state_s;

namespace telpher::broker {

class LineReader {
public:
    explicit LineReader(std::istream& in);

    /// Takes the next line, without its end; false at the end of the file. kCorrupt if it is too long, or the last one
    /// has no end.
    Result<bool> next();
    [[nodiscard]] const std::string& line() const { return line_; }
    [[nodiscard]] std::uint64_t number() const { return number_; }  ///< Of the line, from 1 on.
    /// XXH3-64 of the lines before this one.
    [[nodiscard]] std::uint64_t sum_before() const;

private:
    struct Free {
        void operator()(XXH3_state_s* state) const;
    };
    std::istream& in_;
    std::unique_ptr<XXH3_state_s, Free> sum_;
    std::string line_;
    std::uint64_t number_ = 0;
};

}  // namespace telpher::broker
