// The first byte says whether other hosts may reach the address, the rest is one: for clients, and for HTTP. What is
// taken is taken again, and without leave is of this host alone.
#include "broker/listen_address.h"
#include "proto/base/check.h"
#include "proto/http/host_port.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"

namespace telpher::fuzz {

std::vector<std::string> seeds() {
    using namespace std::string_literals;
    return {"\0tcp://127.0.0.1:4700"s,      "\0tcp://localhost:*"s, "\1tcp://0.0.0.0:1"s,
            "\0ipc:///run/telpher/t.sock"s, "\1tcp://[::1]:80"s,    "\0127.0.0.1:9100"s};
}

namespace {

void check_listen(const std::string& endpoint, bool insecure) {
    const auto checked = broker::check_listen_address(endpoint, insecure);
    if (!checked) {
        TELPHER_CHECK(checked.error().code() == Code::kConfig);
        return;
    }
    TELPHER_CHECK(checked->starts_with("tcp://") || checked->starts_with("ipc:///"));
    TELPHER_CHECK(broker::check_listen_address(*checked, insecure) == *checked);
    if (!checked->starts_with("tcp://")) return;
    const auto split = http::split_host_port(*checked, std::string_view(*checked).substr(6), "tcp://ADDRESS:PORT");
    TELPHER_CHECK(split && (insecure || http::is_loopback(split->host)));
}

void check_host_port(const std::string& text) {
    const auto split = http::split_host_port(text, text, "ADDRESS:PORT");
    if (!split) {
        TELPHER_CHECK(split.error().code() == Code::kConfig);
        return;
    }
    TELPHER_CHECK(!split->host.empty() && split->port >= 0 && split->port <= 65'535);
    TELPHER_CHECK(text.starts_with(split->host + ":"));
}

}  // namespace
}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    telpher::fuzz::Choices choices(data, size);
    const bool insecure = choices.flag();
    const std::string text = choices.rest();
    telpher::fuzz::check_listen(text, insecure);
    telpher::fuzz::check_host_port(text);
    return 0;
}
