// The input is a configuration file of telpherd. One without a problem is printed and read again the same; of others
// every problem has its place.
#include "broker/config.h"
#include "proto/base/check.h"
#include "proto/config/print.h"
#include "proto/config/toml_reader.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"

namespace telpher::fuzz {

std::vector<std::string> seeds() {
    return {broker::example_config(),
            "data_dir = \"/var/lib/telpher\"\n[listen]\nclient = [\"tcp://127.0.0.1:4700\", \"ipc:///run/t\"]\n"
            "insecure = true\nhttp = \"none\"\n",
            "[limits]\nconnections = 100\nmessage_size = \"1MiB\"\ndisk_free = 1024\n[log]\nlevel = \"info\"\n",
            "defaults.queue.retry = { max_attempts = 3, backoff = \"1s\", max = \"10m\" }\n"
            "[timing]\nheartbeat = \"5s\"\nsession_lease = 0\n",
            "[limit]\nx = 1.5\ny = 2026-01-01T00:00:00Z\n",
            "listen.client = \"\"\"a\\u00e9\n\"\"\"\n"};
}

namespace {

config::Resolved resolve(const config::Layer& layer) {
    config::Sources sources;
    sources.flags = layer;
    return config::resolve(broker::daemon_table().settings(), sources);
}

void check_same_again(const config::Layer& layer) {
    const config::Settings& settings = broker::daemon_table().settings();
    const config::Resolved resolved = resolve(layer);
    TELPHER_CHECK(resolved.ok());
    broker::DaemonOptions options;
    broker::daemon_table().store(resolved, options);
    config::Layer again;
    config::Problems problems;
    config::read_toml(settings, config::print_toml(settings, resolved, true), "printed", again, problems);
    TELPHER_CHECK(problems.empty());
    TELPHER_CHECK(config::changes(resolved, resolve(again)).empty());
    TELPHER_CHECK(!config::print_json(settings, resolved, true).empty());
}

}  // namespace
}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace telpher;
    config::Layer layer;
    config::Problems problems;
    config::read_toml(broker::daemon_table().settings(), fuzz::text_of(data, size), "fuzz.toml", layer, problems);
    for (const config::Problem& problem : problems) {
        TELPHER_CHECK(problem.place.starts_with("fuzz.toml") && !problem.text.empty());
    }
    if (problems.empty()) fuzz::check_same_again(layer);
    return 0;
}
