// A table of settings bound to the members of a program's options: the rows are written once, defaults are what a fresh
// Options holds, and store() fills one in. Made once, then constant; any thread.
#pragma once

#include <chrono>
#include <concepts>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "proto/base/check.h"
#include "proto/config/resolve.h"

namespace telpher::config {

template <class Options>
class Table {
public:
    /// `member`: a pointer to a data member, or a callable that takes Options& and returns a reference into it. Its
    /// type is std::string, a vector of them, bool, an unsigned integer, double or std::chrono::milliseconds.
    template <class Member>
    void add(Setting setting, Member member) {
        Options fresh;
        setting.fallback = to_value(std::invoke(member, fresh));
        stores_.push_back(
            [member](Options& options, const Value& value) { from_value(value, std::invoke(member, options)); });
        settings_.push_back(std::move(setting));
    }

    /// The same for an enumeration: its words and what they mean.
    template <class Member, class Enum>
    void add_choice(Setting setting, Member member, std::vector<std::pair<std::string, Enum>> words) {
        Options fresh;
        setting.kind = Kind::kChoice;
        for (const auto& [word, meaning] : words) {
            setting.choices.push_back(word);
            if (meaning == std::invoke(member, fresh)) setting.fallback = word;
        }
        stores_.push_back([member, words = std::move(words)](Options& options, const Value& value) {
            for (const auto& [word, meaning] : words) {
                if (word == std::get<std::string>(value)) std::invoke(member, options) = meaning;
            }
        });
        settings_.push_back(std::move(setting));
    }

    [[nodiscard]] const Settings& settings() const { return settings_; }

    /// Fills in every bound member.
    void store(const Resolved& resolved, Options& options) const {
        TELPHER_CHECK(resolved.values.size() == stores_.size());
        for (std::size_t i = 0; i < stores_.size(); ++i) stores_[i](options, resolved.values[i].value);
    }

    /// Fills in the member of one setting.
    void store(std::size_t index, const Value& value, Options& options) const { stores_.at(index)(options, value); }

private:
    static Value to_value(const std::string& text) { return text; }
    static Value to_value(const std::vector<std::string>& list) { return list; }
    static Value to_value(bool on) { return on; }
    static Value to_value(double number) { return number; }
    static Value to_value(std::chrono::milliseconds ms) { return static_cast<std::uint64_t>(ms.count()); }
    template <std::unsigned_integral T>
    static Value to_value(T number) {
        return static_cast<std::uint64_t>(number);
    }

    template <class T>
    static void from_value(const Value& value, T& member) {
        if constexpr (std::is_same_v<T, std::chrono::milliseconds>) {
            member = std::chrono::milliseconds(std::get<std::uint64_t>(value));
        } else if constexpr (std::unsigned_integral<T> && !std::is_same_v<T, bool>) {
            member = static_cast<T>(std::get<std::uint64_t>(value));  // the setting's range is within T's
        } else {
            member = std::get<T>(value);
        }
    }

    Settings settings_;
    std::vector<std::function<void(Options&, const Value&)>> stores_;
};

}  // namespace telpher::config
