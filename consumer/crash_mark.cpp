#include "consumer/crash_mark.h"

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <csignal>

#include "proto/base/check.h"

namespace telpher::consumer {
namespace {

constexpr std::array kSignals{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr std::size_t kStackBytes = 64 * 1024;

std::atomic<LeaseTable*> marked_table{nullptr};
thread_local int own_thread = -1;
std::array<struct sigaction, kSignals.size()> before;  // set before the first signal can come

/// Async-signal-safe. What was there before (a sanitizer, a crash reporter, the default) gets the signal afterwards.
void on_crash(int number, siginfo_t* info, void* /*context*/) {
    LeaseTable* table = marked_table.load();
    if (table != nullptr && own_thread >= 0)
        table->blame(static_cast<unsigned>(own_thread), Cause::kSignal, static_cast<std::uint64_t>(number));
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
        if (kSignals[i] == number) ::sigaction(number, &before[i], nullptr);
    }
    // A fault happens again when we return; what was sent has to be sent again.
    if (info == nullptr || info->si_code <= 0) ::raise(number);
}

}  // namespace

void mark_crashes(LeaseTable& table) {
    TELPHER_CHECK(marked_table.exchange(&table) == nullptr);
    struct sigaction action {};
    action.sa_sigaction = &on_crash;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &action, &before[i]);
}

MarkedThread::MarkedThread(unsigned thread) {
    own_thread = static_cast<int>(thread);
    void* at = ::mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (at == MAP_FAILED) return;  // then a stack that runs over ends the process unmarked
    stack_ = at;
    const stack_t stack{at, 0, kStackBytes};
    ::sigaltstack(&stack, nullptr);
}

MarkedThread::~MarkedThread() {
    own_thread = -1;
    if (stack_ == nullptr) return;
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    ::sigaltstack(&none, nullptr);
    ::munmap(stack_, kStackBytes);
}

}  // namespace telpher::consumer
