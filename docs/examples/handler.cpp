// A handler in a shared library, for `telpher run QUEUE --so ./libhandler.so`: counts the words of each message. It
// links nothing of Telpher's; the header is enough.
#include <telpher/handler.h>

#include <cctype>
#include <cstdio>
#include <string>

namespace {

telpher::handler::Verdict handle(const telpher::handler::Message& message) {
    if (message.body().empty()) return telpher::handler::Verdict::dead("nothing in it");
    std::size_t words = 0;
    bool inside = false;
    for (const char c : message.body()) {
        const bool blank = std::isspace(static_cast<unsigned char>(c)) != 0;
        words += !blank && !inside ? 1 : 0;
        inside = !blank;
    }
    const std::string line = std::to_string(message.id()) + " " + std::to_string(words) + "\n";
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fflush(stdout);  // the work is done before the verdict says so
    return telpher::handler::Verdict::ack();
}

}  // namespace

TELPHER_HANDLER(handle)
