#include "broker/rights.h"

#include <fnmatch.h>

#include <algorithm>
#include <string>

#include "proto/limits.h"

namespace telpher::broker {

RightSet Rights::on(std::string_view queue) const {
    const std::string name(queue.substr(0, limits::kNameBytesMax));  // a longer one names nothing
    const auto match = [&name](const std::vector<std::string>& patterns) {
        return std::ranges::any_of(
            patterns, [&](const std::string& pattern) { return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0; });
    };
    if (match(rules_.admin)) return RightSet(RightSet::kAll);
    unsigned bits = 0;
    if (match(rules_.put)) bits |= RightSet::kPut;
    if (match(rules_.get)) bits |= RightSet::kGet;
    return RightSet(bits);
}

}  // namespace telpher::broker
