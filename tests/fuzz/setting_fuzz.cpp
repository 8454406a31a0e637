// The first byte chooses a setting of telpherd, the rest is its value as a flag or the environment gives it. What is
// read is in range, and is written and read again the same.
#include "broker/config.h"
#include "proto/base/check.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"

namespace telpher::fuzz {

std::vector<std::string> seeds() {
    std::vector<std::string> all;
    const config::Settings& settings = broker::daemon_table().settings();
    for (std::size_t i = 0; i < settings.size(); ++i) {
        all.push_back(static_cast<char>(i) + config::format_text(settings[i], settings[i].fallback));
    }
    return all;
}

}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace telpher;
    const config::Settings& settings = broker::daemon_table().settings();
    fuzz::Choices choices(data, size);
    const config::Setting& setting = settings[choices.below(static_cast<std::uint8_t>(settings.size()))];
    const auto value = config::parse_text(setting, choices.rest(), "flag");
    if (!value) {
        TELPHER_CHECK(value.error().code() == Code::kConfig);
        return 0;
    }
    TELPHER_CHECK(config::check_range(setting, *value, "flag").has_value());
    const auto again = config::parse_text(setting, config::format_text(setting, *value), "flag");
    TELPHER_CHECK(again && *again == *value);
    return 0;
}
