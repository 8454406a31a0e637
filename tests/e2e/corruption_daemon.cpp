#include "tests/e2e/corruption_daemon.h"

#include <gtest/gtest.h>
#include <telpher/client.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

#include "proto/base/bytes.h"

namespace telpher::test {
namespace {

namespace fs = std::filesystem;
using State = Peeked::State;

constexpr Millis kSlice{500};
constexpr int kCorruptStatus = 65;
constexpr std::size_t kBlock = 4096;

/// Reads through one daemon.
class DaemonReading {
public:
    explicit DaemonReading(const fs::path& data_dir) : data_dir_(data_dir) {}

    Served run() {
        try {
            broker_.emplace(daemon_options(data_dir_));
        } catch (const std::runtime_error& error) {
            served_.refused = failures_in(error.what());
            EXPECT_NE(std::string(error.what()).find("ended with exit 65"), std::string::npos) << error.what();
            return served_;
        }
        served_.started = true;
        if (!read()) note_end();
        note_cuts(broker_->process().errors());
        return served_;
    }

private:
    /// False: it did not answer to the end.
    bool read() {
        Client client({.server = broker_->ipc(), .leave_timeout = Millis(0)});
        auto queue = answer([&](Millis limit) { return client.open(kQueue, {.create = false}, limit); });
        // Without its queue all messages are missing: no failure of the reading.
        if (!queue) return queue.error().code() == Code::kNotFound;
        if (!look(*queue, State::kLive) || !look(*queue, State::kDead)) return false;
        const auto stats = answer([&](Millis limit) { return queue->stats(limit); });
        if (!stats) return false;
        return consume(*queue, stats->ready);
    }

    /// Asks until there is an answer. Of a daemon that stopped there is none, and the library waits for another to
    /// come.
    template <class Ask>
    auto answer(const Ask& ask) -> decltype(ask(kSlice)) {
        const Deadline deadline(20s);
        for (;;) {
            auto answered = ask(kSlice);
            const bool final = answered || answered.error().code() == Code::kNotFound;
            if (final || deadline.passed() || !broker_->running()) return answered;
        }
    }

    bool look(Queue& queue, State state) {
        for (std::uint64_t from = 0;;) {
            const auto peeked = answer([&](Millis limit) { return queue.peek(1000, from, limit, state); });
            if (!peeked) return false;
            if (peeked->empty()) return true;
            for (const Peeked& message : *peeked) take(message.id, message.body);
            from = peeked->back().id + 1;
        }
    }

    /// Takes them all, and lets them go unsettled.
    bool consume(Queue& queue, std::uint64_t count) {
        Consumer consumer = queue.consume({.prefetch = 100'000});
        std::vector<Message> held;
        while (held.size() < count) {
            auto message = answer([&](Millis limit) { return consumer.next(limit); });
            if (!message) return false;
            take(message->id(), std::string(message->text()));
            held.push_back(std::move(*message));
        }
        return true;
    }

    void take(std::uint64_t id, const std::string& body) {
        const auto [known, fresh] = served_.messages.emplace(id, body);
        if (!fresh && known->second != body) served_.wrong.push_back("message " + std::to_string(id) + " twice");
    }

    void note_end() {
        const auto ended = broker_->process().wait(20s);
        served_.failed = ended.has_value();
        EXPECT_TRUE(ended && ended->exited(kCorruptStatus)) << (ended ? ended->text() : "it runs, and serves nothing");
        served_.refused = failures_in(broker_->process().errors());
    }

    void note_cuts(const std::string& log) {
        static const std::regex kTorn(R"re("message":"\d+ bytes at the end of the log[^"]*")re");
        static const std::regex kCut(
            R"((cut|remove) ([0-9a-f]{16}\.seg): (\d+) bytes(?: from byte (\d+) on)?, lsn \d+)");
        std::smatch found;
        if (std::regex_search(log, found, kTorn)) served_.torn = found.str();
        for (std::sregex_iterator cut(log.begin(), log.end(), kCut), end; cut != end; ++cut) {
            const std::uint64_t from = (*cut)[4].matched ? std::stoull((*cut)[4]) : 0;
            served_.cuts.push_back({(*cut)[2], from, from + std::stoull((*cut)[3])});
        }
    }

    fs::path data_dir_;
    std::optional<Broker> broker_;
    Served served_;
};

void write_file(const FileBytes& bytes, const fs::path& path) {
    std::ofstream out(path, std::ios::binary);
    for (std::size_t at = 0; at < bytes.size(); at += kBlock) {
        const Bytes block = Bytes(bytes).subspan(at, std::min(kBlock, bytes.size() - at));
        if (std::all_of(block.begin(), block.end(), [](std::byte byte) { return byte == std::byte{0}; })) continue;
        out.seekp(static_cast<std::streamoff>(at));
        out.write(as_text(block).data(), static_cast<std::streamsize>(block.size()));
    }
    out.close();
    if (!out) throw std::runtime_error("cannot write " + path.string());
    fs::resize_file(path, bytes.size());
}

}  // namespace

BrokerOptions daemon_options(const fs::path& data_dir) {
    BrokerOptions options;
    options.args = {"--segment-bytes", std::to_string(kDaemonSegmentBytes), "--message-size", "64KiB"};
    options.args.insert(options.args.end(), {"--cache-bytes", "256KiB", "--disk-reserve", "0"});
    options.args.insert(options.args.end(), {"--restart-hold-ms", "1", "--log-format", "json"});
    options.data_dir = data_dir;
    return options;
}

Folder read_folder(const fs::path& dir) {
    Folder folder;
    for (const auto& entry : fs::recursive_directory_iterator(dir)) {
        if (!entry.is_regular_file()) continue;
        std::ifstream in(entry.path(), std::ios::binary);
        const std::string bytes((std::istreambuf_iterator<char>(in)), {});
        const Bytes view = as_bytes(bytes);
        folder[entry.path().lexically_relative(dir)] = FileBytes(view.begin(), view.end());
    }
    return folder;
}

void write_folder(const Folder& folder, const fs::path& dir) {
    fs::create_directories(dir);
    for (const auto& [name, bytes] : folder) {
        fs::create_directories((dir / name).parent_path());
        write_file(bytes, dir / name);
    }
}

std::string failures_in(const std::string& log) {
    std::istringstream lines(log);
    std::string failures;
    for (std::string line; std::getline(lines, line);) {
        if (line.find("\"level\":\"error\"") != std::string::npos) failures += line + "\n";
    }
    return failures;
}

Served serve_daemon(const fs::path& data_dir) { return DaemonReading(data_dir).run(); }

}  // namespace telpher::test
