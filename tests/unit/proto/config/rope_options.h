// The settings of an imagined program, one of each kind.
#pragma once

#include <string>
#include <vector>

#include "proto/config/table.h"

namespace telpher::config {

enum class Knot : std::uint8_t { kBowline = 1, kReef = 2 };

struct RopeOptions {
    std::string name = "rope";
    std::vector<std::string> ends{"left", "right"};
    bool wet = false;
    std::size_t strands = 3;
    double stretch = 0.5;
    std::uint64_t length_bytes = 1 << 20;
    std::chrono::milliseconds hold{30'000};
    Knot knot = Knot::kReef;
    std::string secret;
};

inline const Table<RopeOptions>& rope_table() {
    static const Table<RopeOptions> table = [] {
        Table<RopeOptions> made;
        made.add({.path = "name", .flag = "--name", .help = "What it is called."}, &RopeOptions::name);
        made.add({.path = "rope.ends", .flag = "--end", .kind = Kind::kList, .help = "Its ends."}, &RopeOptions::ends);
        made.add({.path = "rope.wet", .flag = "--wet", .kind = Kind::kSwitch, .help = "Wet."}, &RopeOptions::wet);
        made.add(
            {.path = "rope.strands", .flag = "--strands", .kind = Kind::kCount, .min = 1, .max = 9, .help = "Strands."},
            &RopeOptions::strands);
        made.add({.path = "rope.stretch", .kind = Kind::kReal, .max = 2, .help = "Stretch."}, &RopeOptions::stretch);
        made.add({.path = "rope.length", .flag = "--length", .kind = Kind::kSize, .min = 1024, .help = "Length."},
                 &RopeOptions::length_bytes);
        made.add({.path = "rope.knot.hold",
                  .flag = "--hold-ms",
                  .kind = Kind::kDuration,
                  .min = 1,
                  .flag_in_ms = true,
                  .reloadable = true,
                  .help = "How long it holds."},
                 &RopeOptions::hold);
        made.add_choice<Knot RopeOptions::*, Knot>(
            {.path = "rope.knot.kind", .flag = "--knot", .reloadable = true, .help = "Which knot."}, &RopeOptions::knot,
            {{"bowline", Knot::kBowline}, {"reef", Knot::kReef}});
        made.add({.path = "rope.secret_file", .kind = Kind::kSecretFile, .help = "Nobody's business."},
                 &RopeOptions::secret);
        return made;
    }();
    return table;
}

}  // namespace telpher::config
