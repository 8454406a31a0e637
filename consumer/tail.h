// The last bytes of what somebody wrote. Pure; memory is bounded by twice what is kept.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace telpher {

class Tail {
public:
    explicit Tail(std::size_t bytes_max) : bytes_max_(bytes_max) {}
    void add(std::string_view text) {
        text_.append(text);
        if (text_.size() > 2 * bytes_max_) text_.erase(0, text_.size() - bytes_max_);
    }
    void clear() { text_.clear(); }
    /// What is kept, without white space at its end; it does not begin in the middle of a UTF-8 character.
    [[nodiscard]] std::string text() const {
        std::string_view kept = text_;
        while (!kept.empty() && (kept.back() == '\n' || kept.back() == '\r' || kept.back() == ' '))
            kept.remove_suffix(1);
        if (kept.size() > bytes_max_) {
            kept.remove_prefix(kept.size() - bytes_max_);
            while (!kept.empty() && (static_cast<unsigned char>(kept.front()) & 0xC0U) == 0x80U) kept.remove_prefix(1);
        }
        return std::string(kept);
    }

private:
    std::size_t bytes_max_;
    std::string text_;
};

}  // namespace telpher
