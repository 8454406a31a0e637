#include "proto/config/layer.h"

namespace telpher::config {

std::string Origin::text() const {
    switch (kind) {
        case Kind::kDefault:
            break;
        case Kind::kFile:
            return name + ":" + std::to_string(line);
        case Kind::kEnvironment:
            return "env " + name;
        case Kind::kFlag:
            return "flag " + name;
    }
    return "default";
}

std::string Origin::place() const {
    if (kind != Kind::kFile || line == 0) return name;
    return name + ":" + std::to_string(line) + ":" + std::to_string(column);
}

std::string sum_up(const Problems& problems) {
    return std::to_string(problems.size()) + (problems.size() == 1 ? " error" : " errors") + "; nothing was changed";
}

}  // namespace telpher::config
