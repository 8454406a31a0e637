#include "consumer/command_input.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "consumer/exec_launcher.h"
#include "proto/command/message_json.h"

namespace telpher {
namespace {

constexpr std::string_view kHeaderPrefix = "TELPHER_HEADER_";
/// Of a message, or of us: what a command finds under these names is never what we found there.
constexpr std::array<std::string_view, 10> kOwn{
    "TELPHER_QUEUE",       "TELPHER_ID",       "TELPHER_ATTEMPT", "TELPHER_DELIVERY", "TELPHER_MAX_ATTEMPTS",
    "TELPHER_ENQUEUED_AT", "TELPHER_DEADLINE", "TELPHER_WORKER",  "TELPHER_KEY",      "TRACEPARENT"};

bool is_own(std::string_view variable) {
    const std::string_view name = variable.substr(0, variable.find('='));
    return name.starts_with(kHeaderPrefix) || name == kSupervisorVariable ||
           std::find(kOwn.begin(), kOwn.end(), name) != kOwn.end();
}

class Environment {
public:
    explicit Environment(const std::vector<std::string>& added) {
        for (char** variable = environ; *variable != nullptr; ++variable) {
            if (!is_own(*variable)) list_.emplace_back(*variable);
        }
        for (const std::string& variable : added) replace(variable);
    }
    void add(std::string_view name, std::string_view value) {
        if (value.find('\0') != std::string_view::npos) return;  // a variable cannot say it; descriptor 3 does
        list_.push_back(std::string(name) + "=" + std::string(value));
    }
    std::vector<std::string> take() { return std::move(list_); }

private:
    void replace(const std::string& variable) {
        const std::string name = variable.substr(0, variable.find('=') + 1);
        std::erase_if(list_, [&](const std::string& there) { return there.starts_with(name); });
        list_.push_back(variable);
    }

    std::vector<std::string> list_;
};

command::Json metadata(const CommandInput& input) {
    command::Json object{{"queue", input.queue}, {"id", input.id}, {"key", input.key}};
    object["headers"] = command::Json::object();
    for (const auto& [name, value] : input.headers) object["headers"][std::string(name)] = value;
    object["attempt"] = input.attempt;
    object["delivery"] = input.delivery;
    object["enqueued_at"] = input.put_ms;
    if (input.max_attempts) object["max_attempts"] = *input.max_attempts;
    if (input.deadline_ms) object["deadline"] = *input.deadline_ms;
    object["worker"] = input.worker;
    return object;
}

}  // namespace

std::string header_variable(std::string_view name) {
    std::string variable(kHeaderPrefix);
    for (const char c : name) {
        const bool lower = c >= 'a' && c <= 'z';
        const bool kept = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        variable.push_back(lower ? static_cast<char>(c - 'a' + 'A') : kept ? c : '_');
    }
    return variable;
}

std::vector<std::string> environment_of(const CommandInput& input, const std::vector<std::string>& added) {
    Environment environment(added);
    environment.add("TELPHER_QUEUE", input.queue);
    environment.add("TELPHER_ID", std::to_string(input.id));
    environment.add("TELPHER_KEY", input.key);
    environment.add("TELPHER_ATTEMPT", std::to_string(input.attempt));
    environment.add("TELPHER_DELIVERY", std::to_string(input.delivery));
    environment.add("TELPHER_ENQUEUED_AT", std::to_string(input.put_ms));
    if (input.max_attempts) environment.add("TELPHER_MAX_ATTEMPTS", std::to_string(*input.max_attempts));
    if (input.deadline_ms) environment.add("TELPHER_DEADLINE", std::to_string(*input.deadline_ms));
    environment.add("TELPHER_WORKER", input.worker);
    for (const auto& [name, value] : input.headers) {
        environment.add(header_variable(name), value);
        if (name == "traceparent") environment.add("TRACEPARENT", value);
    }
    return environment.take();
}

std::vector<std::string> environment_of_stream(const CommandInput& input, const std::vector<std::string>& added) {
    Environment environment(added);
    environment.add("TELPHER_QUEUE", input.queue);
    environment.add("TELPHER_WORKER", input.worker);
    return environment.take();
}

std::string metadata_line(const CommandInput& input) { return command::dump(metadata(input)) + "\n"; }

std::string request_line(const CommandInput& input) {
    command::Json object = metadata(input);
    command::set_body(object, input.body);
    return command::dump(object) + "\n";
}

}  // namespace telpher
