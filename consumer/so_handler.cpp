#include "consumer/so_handler.h"

#include <dlfcn.h>

#include <array>
#include <vector>

#include "proto/limits.h"

namespace telpher {
namespace {

constexpr const char* kSymbol = "telpher_handler";
constexpr std::array kActions{Action::kAck,  Action::kRetry,   Action::kFail,
                              Action::kDead, Action::kRelease, Action::kPause};

void set_reason(void* context, const char* text, std::size_t bytes) {
    static_cast<std::string*>(context)->assign(text, std::min(bytes, limits::kReasonBytesMax));
}

std::string why_not(const std::string& path) {
    const char* text = ::dlerror();
    return text != nullptr ? text : path;
}

}  // namespace

Result<void> SoHandler::load(const std::string& path) {
    // A name without a folder means a file here, as for a command, not one of the system's libraries.
    const std::string file = path.find('/') == std::string::npos ? "./" + path : path;
    void* const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return fail(Code::kConfig, "--so: " + why_not(path));
    void* const symbol = ::dlsym(library, kSymbol);
    if (symbol == nullptr) return fail(Code::kConfig, "--so: " + path + " shows no TELPHER_HANDLER");
    const auto* const entry = reinterpret_cast<const telpher_handler_entry* (*)()>(symbol)();
    if (entry == nullptr || entry->abi != TELPHER_HANDLER_ABI || entry->handle == nullptr) {
        return fail(Code::kConfig, "--so: " + path + " was built for ABI " +
                                       std::to_string(entry == nullptr ? 0 : entry->abi) +
                                       " of telpher/handler.h, not " + std::to_string(TELPHER_HANDLER_ABI));
    }
    entry_ = entry;
    return {};
}

Outcome SoHandler::run(std::string_view queue, const Message& message) const {
    std::vector<telpher_handler_header> headers;
    for (const auto& [name, value] : message.headers())
        headers.push_back({name.data(), name.size(), value.data(), value.size()});
    const std::string_view body = message.text(), key = message.key();
    const telpher_handler_message raw{
        sizeof raw, queue.data(),   queue.size(),   message.id(),      body.data(),        body.size(),     key.data(),
        key.size(), headers.data(), headers.size(), message.attempt(), message.delivery(), message.put_ms()};
    Outcome outcome;
    telpher_handler_verdict verdict{sizeof verdict, 2, -1, &outcome.reason, &set_reason};
    entry_->handle(&raw, &verdict);
    const auto kind = static_cast<std::size_t>(verdict.kind);
    if (verdict.kind < 0 || kind >= kActions.size())
        return {Action::kFail, "the handler's verdict is " + std::to_string(verdict.kind)};
    outcome.action = kActions.at(kind);
    if (verdict.delay_ms >= 0) outcome.delay = Millis(verdict.delay_ms);
    return outcome;
}

}  // namespace telpher
