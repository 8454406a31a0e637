#include "tests/e2e/fault_trial.h"

#include <atomic>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/e2e/fault_workload.h"
#include "tests/support/temp_dir.h"

namespace telpher::test {
namespace {

constexpr Duration kReadyWithin = 20s;
constexpr Duration kEndsWithin = 20s;

/// In memory where there is such a file system: what is tested is what the broker makes of errors, not the disk.
std::filesystem::path fast_folder() {
    return std::filesystem::is_directory("/dev/shm") ? std::filesystem::path("/dev/shm") : "/tmp";
}

/// A telpherd on one folder, with and without a fault.
class TrialBroker {
public:
    [[nodiscard]] std::string server() const { return "ipc://" + (dir_.path() / "b.sock").string(); }
    [[nodiscard]] std::filesystem::path report() const { return dir_.path() / "report"; }
    [[nodiscard]] Process& process() { return *process_; }

    /// False if it ended before it was ready.
    bool start(const Fault* fault) {
        ProcessOptions options;
        if (fault != nullptr) options.env = environment(*fault);
        process_.emplace(program("telpherd"),
                         std::vector<std::string>{"--data-dir", dir_.path() / "data", "--listen", server(), "--http",
                                                  "none", "--segment-bytes", "10MiB", "--disk-reserve", "1MiB",
                                                  "--restart-hold-ms", "50", "--resume-grace-ms", "50"},
                         options);
        return process_->wait_for_output("ready", kReadyWithin);
    }

private:
    [[nodiscard]] std::map<std::string, std::string> environment(const Fault& fault) const {
        std::map<std::string, std::string> env;
        env["LD_PRELOAD"] = program("telpher-io-fault-shim.so");
        env["IO_FAULT_DIR"] = dir_.path() / "data";
        env["IO_FAULT_REPORT"] = report();
        env["IO_FAULT_AT"] = std::to_string(fault.at);
        env["IO_FAULT_KIND"] = fault.kind == Fault::Kind::kEio      ? "eio"
                               : fault.kind == Fault::Kind::kEnospc ? "enospc"
                                                                    : "short";
        if (fault.at == 0) env["IO_FAULT_TRACE"] = "1";
        if (fault.sticky) env["IO_FAULT_STICKY"] = "1";
        return env;
    }

    TempDir dir_{fast_folder()};
    std::optional<Process> process_;
};

/// The workload on a thread of its own: the one that started the broker must stay to see it end.
class Client {
public:
    Client(FaultWorkload& workload, std::uint64_t operations)
        : thread_([this, &workload, operations] {
              workload.run(operations, [this] { return stop_.load(); });
              done_ = true;
          }) {}
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() {
        stop_ = true;
        thread_.join();
    }
    [[nodiscard]] bool done() const { return done_; }

private:
    std::atomic<bool> stop_{false}, done_{false};
    std::thread thread_;
};

/// Keeps what the broker said when it ended.
void note_end(TrialOutcome& outcome, TrialBroker& broker, bool by_itself) {
    const auto ended = broker.process().wait(kEndsWithin);
    if (!ended) {
        outcome.wrong.emplace_back("it does not end");
        broker.process().kill();
    }
    outcome.ended = ended.value_or(Ended{});
    outcome.by_itself = by_itself;
    outcome.log = broker.process().errors();
}

/// Works on the broker that fails, and on the next one if it ends by itself, or waits for room that never comes.
bool work(TrialOutcome& outcome, TrialBroker& broker, FaultWorkload& workload, std::uint64_t operations) {
    bool faulty = true;
    const Client client(workload, operations);
    while (!client.done()) {
        if (!faulty) {
            pass_time(1ms);
            continue;
        }
        const bool ended = broker.process().wait(5ms).has_value();
        const bool waits = !ended && broker.process().errors().find("log.waits") != std::string::npos;
        if (waits &&
            !eventually(500ms, [&] { return broker.process().errors().find("log.goes_on") != std::string::npos; })) {
            broker.process().kill();
        } else if (!ended) {
            continue;
        }
        note_end(outcome, broker, true);
        faulty = false;
        if (!broker.start(nullptr)) outcome.wrong.emplace_back("no restart: " + broker.process().errors());
    }
    return faulty;
}

}  // namespace

std::string Fault::text() const {
    const char* const name = kind == Kind::kEio ? "EIO" : kind == Kind::kEnospc ? "ENOSPC" : "short";
    return std::string(name) + (sticky ? " from " : " at ") + std::to_string(at);
}

std::string FileCall::sort() const {
    std::string file = path.substr(path.find_last_of('/') + 1);
    while (!file.empty() && std::isxdigit(static_cast<unsigned char>(file.front())) != 0 && file.size() > 4) {
        file.erase(0, 1);
    }
    return name + " " + file;
}

std::vector<FileCall> read_report(const std::filesystem::path& path) {
    std::vector<FileCall> calls;
    std::ifstream report(path);
    for (std::string line; std::getline(report, line);) {
        std::istringstream words(line);
        std::string what;
        FileCall call;
        words >> what >> call.number >> call.name >> call.path;
        calls.push_back(std::move(call));
    }
    return calls;
}

bool TrialOutcome::said_so() const {
    const bool logged = log.find("Input/output error") != std::string::npos || log.find("E_IO") != std::string::npos ||
                        log.find("No space left on device") != std::string::npos ||
                        log.find("E_DISK_FULL") != std::string::npos || log.find("log.waits") != std::string::npos;
    return logged || !ended.ok() || !told.empty();
}

TrialOutcome run_trial(Stage stage, const Fault& fault, std::uint64_t operations) {
    TrialOutcome outcome;
    TrialBroker broker;
    FaultWorkload workload(broker.server());
    if (stage == Stage::kKilled) {
        if (!broker.start(nullptr)) outcome.wrong.emplace_back("no start");
        workload.run(operations, [] { return false; });
        broker.process().kill();
    }
    if (!broker.start(&fault)) {
        note_end(outcome, broker, true);
        if (!broker.start(nullptr)) outcome.wrong.emplace_back("no restart: " + broker.process().errors());
        workload.run(operations / 10, [] { return false; });
    } else if (work(outcome, broker, workload, stage == Stage::kKilled ? operations / 10 : operations)) {
        broker.process().signal(SIGTERM);
        note_end(outcome, broker, false);
        if (!broker.start(nullptr)) outcome.wrong.emplace_back("no restart: " + broker.process().errors());
    } else {
        broker.process().kill();
        if (!broker.start(nullptr)) outcome.wrong.emplace_back("no second restart: " + broker.process().errors());
    }
    outcome.told = workload.told();
    workload.drain();
    for (const std::string& what : workload.wrong()) outcome.wrong.push_back(what);
    Checker checker;
    for (const Event& event : workload.history()) checker.see(event);
    outcome.verdict = checker.finish();
    auto calls = read_report(broker.report());
    if (fault.at != 0 && !calls.empty()) outcome.injected = calls.front();
    if (fault.at == 0) outcome.calls = std::move(calls);
    return outcome;
}

}  // namespace telpher::test
