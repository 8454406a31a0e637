#include "broker/manual.h"

#include "broker/config.h"
#include "proto/command/manual.h"
#include "proto/config/print.h"

namespace telpher::broker {
namespace {

using command::man_text;

std::string describe(const config::Setting& setting) {
    std::string out = ".TP\n\\fB" + man_text(setting.key()) + "\\fR\n" + man_text(setting.help);
    const std::string range = config::format_range(setting);
    out += range.empty() ? "\n" : " " + man_text(range) + ".\n";
    const std::string fallback = config::format_text(setting, setting.fallback);
    if (!fallback.empty()) out += "Default: " + man_text(fallback) + ".\n";
    if (!setting.reloadable) out += "Needs a restart.\n";
    if (!setting.flag.empty()) out += "Flag: \\fB" + man_text(setting.flag) + "\\fR.\n";
    return out;
}

std::string describe_section(const config::Settings& settings, std::string_view section) {
    std::string out;
    for (const config::Setting& setting : settings) {
        if (setting.section() == section) out += describe(setting);
    }
    return out;
}

}  // namespace

std::string config_page() {
    const config::Settings& settings = daemon_table().settings();
    std::string out = command::man_heading("telpherd.toml", 5);
    out +=
        ".SH NAME\ntelpherd.toml \\- configuration of telpherd, Telpher\\(aqs broker\n"
        ".SH SYNOPSIS\n/etc/telpher/telpherd.toml, /etc/telpher/conf.d/*.toml\n"
        ".SH DESCRIPTION\nTOML. The files of conf.d beside the main one are read after it, in the order of their "
        "names; a key that two of them set is an error, and so is one that nobody knows.\n"
        ".PP\nA flag wins over the environment, that over the files, for each key alone. The variable of "
        "limits.message_size is TELPHER_LIMITS__MESSAGE_SIZE.\n"
        ".PP\nSizes are \\(dq64KiB\\(dq or a number of bytes, durations \\(dq30s\\(dq.\n"
        ".SH SETTINGS\n" +
        describe_section(settings, {});
    for (const std::string_view section : config::sections(settings)) {
        out += ".SS [" + man_text(section) + "]\n" + describe_section(settings, section);
    }
    return out;
}

}  // namespace telpher::broker
