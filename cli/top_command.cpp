// top: the queues, live.
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/screen.h"
#include "cli/top.h"
#include "proto/base/clock.h"
#include "proto/command/exit.h"
#include "proto/command/output.h"
#include "proto/command/signals.h"
#include "proto/command/value_flags.h"

namespace telpher::cli {
namespace {

using command::Globals;
using command::Program;

constexpr Millis kIntervalMin{100};

struct TopFlags {
    Millis interval{1000};
    std::uint64_t count = 0;  ///< 0: until it is stopped, or once without a terminal.
    TopKey key = TopKey::kReady;
};

struct Look {
    BrokerStats broker;
    std::vector<QueueStats> queues;
    Instant at;
};

class Top {
public:
    Top(const TopFlags& flags, const Globals& globals)
        : flags_(flags), globals_(globals), client_(globals.client_options()), key_(flags.key) {}

    int run() {
        auto before = look();
        if (!before) return command::print_error(before.error());
        std::optional<Screen> screen;
        if (globals_.output == command::Format::kTable && Screen::there()) screen.emplace();
        std::uint64_t left = flags_.count > 0 ? flags_.count : screen ? UINT64_MAX : 1;
        std::optional<Look> shown;
        while (left > 0) {
            const Wait waited = wait(screen.has_value());
            if (waited == Wait::kEnd) return signals_.exit_status(command::kExitOk);
            if (waited == Wait::kKey && !shown) continue;
            if (waited == Wait::kTime) {
                if (shown) before = std::move(*shown);
                auto now = look();
                if (!now) {
                    screen.reset();
                    return command::print_error(now.error());
                }
                shown = std::move(*now);
                --left;
            }
            if (const int status = show(*before, *shown, screen); status != command::kExitOk) return status;
        }
        return command::kExitOk;
    }

private:
    enum class Wait { kTime, kKey, kEnd };

    Result<Look> look() {
        const Millis timeout = globals_.timeout_or(command::kAnswerTimeout);
        auto broker = client_.status(timeout);
        if (!broker) return fail(broker.error());
        auto queues = client_.list(timeout);
        if (!queues) return fail(queues.error());
        return Look{std::move(*broker), std::move(*queues), system_clock().now()};
    }

    /// Until the next look is due, or a key was pressed.
    Wait wait(bool keys) {
        if (!due_) due_ = system_clock().now() + flags_.interval;
        const auto left = std::chrono::ceil<Millis>(*due_ - system_clock().now()).count();
        std::array<pollfd, 2> polled{pollfd{signals_.fd(), POLLIN, 0}, pollfd{keys ? STDIN_FILENO : -1, POLLIN, 0}};
        const int ready = left <= 0 ? 0 : ::poll(polled.data(), polled.size(), static_cast<int>(left));
        if (polled[0].revents != 0) return Wait::kEnd;
        if (ready > 0 && polled[1].revents != 0) return take_key();
        due_.reset();
        return Wait::kTime;
    }

    Wait take_key() {
        char letter = 0;
        if (::read(STDIN_FILENO, &letter, 1) != 1 || letter == 'q') return Wait::kEnd;
        key_ = top_key(letter).value_or(key_);
        return Wait::kKey;
    }

    int show(const Look& before, const Look& now, const std::optional<Screen>& screen) const {
        const double seconds = std::max(1e-3, std::chrono::duration<double>(now.at - before.at).count());
        const auto rows = top_rows(before.queues, now.queues, seconds, key_);
        if (globals_.output != command::Format::kTable)
            return command::print(command::dump(top_json(now.broker, rows)) + "\n");
        const std::string table =
            top_table(now.broker, rows, key_, command::use_color(globals_), screen ? screen->lines() - 1 : 0);
        if (!screen) return command::print(table);
        return screen->show(table) ? command::kExitOk : command::kExitPipe;
    }

    const TopFlags flags_;
    const Globals& globals_;
    const command::StopSignals signals_;
    Client client_;
    TopKey key_;
    std::optional<Instant> due_;
};

}  // namespace

void add_top_command(Program& program) {
    CLI::App* app = program.app().add_subcommand("top", "Show the queues live: q quits, a column's letter sorts");
    const auto flags = std::make_shared<TopFlags>();
    command::add_duration(
        *app, "--interval", [flags](Millis interval) { flags->interval = std::max(interval, kIntervalMin); },
        "Time between two looks (default 1s)");
    command::add_count(*app, "-n,--count", {}, flags->count,
                       "Looks until it ends (default: no end on a terminal, else one)");
    app->add_option_function<std::string>(
        "--sort",
        [flags](const std::string& text) {
            const auto key = parse_top_key(text);
            if (!key) throw CLI::ValidationError("--sort", key.error().detail());
            flags->key = *key;
        },
        "name, ready, leased, in, out, blocked, consumers, dead (default ready)");
    program.on(*app, [flags, &program] { return Top(*flags, program.globals()).run(); });
}

}  // namespace telpher::cli
