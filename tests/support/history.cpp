#include "tests/support/history.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "proto/base/random.h"

namespace telpher::test {
namespace {

constexpr std::array<std::pair<Event::Kind, std::string_view>, 10> kNames{{
    {Event::Kind::kPut, "put"},
    {Event::Kind::kConfirmed, "confirmed"},
    {Event::Kind::kRefused, "refused"},
    {Event::Kind::kUnknown, "unknown"},
    {Event::Kind::kDelivered, "delivered"},
    {Event::Kind::kAck, "ack"},
    {Event::Kind::kSettled, "settled"},
    {Event::Kind::kLost, "lost"},
    {Event::Kind::kEnd, "end"},
    {Event::Kind::kDrained, "drained"},
}};

std::string_view name_of(Event::Kind kind) {
    for (const auto& [value, name] : kNames) {
        if (value == kind) return name;
    }
    throw std::runtime_error("unknown kind of event");
}

Event::Kind kind_of(std::string_view wanted) {
    for (const auto& [value, name] : kNames) {
        if (name == wanted) return value;
    }
    throw std::runtime_error("unknown kind of event: " + std::string(wanted));
}

}  // namespace

std::string to_line(const Event& event) {
    nlohmann::ordered_json line;
    line["t"] = event.time_ns;
    line["e"] = name_of(event.kind);
    line["w"] = event.who;
    if (!event.producer.empty()) line["p"] = event.producer;
    if (event.seq != 0) line["s"] = event.seq;
    if (event.hash != 0) line["h"] = event.hash;
    if (event.id != 0) line["i"] = event.id;
    if (event.delivery != 0) line["d"] = event.delivery;
    if (!event.code.empty()) line["c"] = event.code;
    return line.dump();
}

Event from_line(const std::string& line) try {
    const auto object = nlohmann::json::parse(line);
    Event event;
    event.kind = kind_of(object.at("e").get<std::string>());
    event.time_ns = object.at("t").get<std::int64_t>();
    event.who = object.at("w").get<std::string>();
    event.producer = object.value("p", std::string());
    event.seq = object.value("s", std::uint64_t{0});
    event.hash = object.value("h", std::uint64_t{0});
    event.id = object.value("i", std::uint64_t{0});
    event.delivery = object.value("d", std::uint32_t{0});
    event.code = object.value("c", std::string());
    return event;
} catch (const nlohmann::json::exception& error) {
    throw std::runtime_error(std::string("not an event: ") + error.what());
}

HistoryWriter::HistoryWriter(const std::filesystem::path& path, std::string who)
    : who_(std::move(who)), fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
    if (fd_ < 0) throw std::runtime_error(path.string() + ": " + std::strerror(errno));
}

HistoryWriter::~HistoryWriter() { ::close(fd_); }

void HistoryWriter::record(std::span<Event> events) {
    const std::lock_guard lock(mutex_);
    std::string lines;
    for (Event& event : events) {
        event.time_ns = system_clock().now().ns;
        if (event.who.empty()) event.who = who_;
        lines += to_line(event) + "\n";
    }
    if (::write(fd_, lines.data(), lines.size()) != static_cast<ssize_t>(lines.size())) {
        throw std::runtime_error("history of " + who_ + ": cannot write");
    }
}

HistoryReader::HistoryReader(const std::filesystem::path& path) : path_(path), file_(path) {
    if (!file_) throw std::runtime_error("no history: " + path.string());
}

std::optional<Event> HistoryReader::next() {
    std::string line;
    if (!std::getline(file_, line) || file_.eof()) {
        file_.clear();
        file_.seekg(at_);
        return std::nullopt;
    }
    at_ += static_cast<std::streamoff>(line.size()) + 1;
    ++line_;
    try {
        return from_line(line);
    } catch (const std::runtime_error& error) {
        throw std::runtime_error(path_.string() + ":" + std::to_string(line_) + ": " + error.what());
    }
}

MergedHistory::MergedHistory(const std::vector<std::filesystem::path>& paths) {
    for (const auto& path : paths) {
        Source source{HistoryReader(path), std::nullopt};
        source.head = source.reader.next();
        sources_.push_back(std::move(source));
    }
}

std::optional<Event> MergedHistory::next() {
    Source* first = nullptr;
    for (Source& source : sources_) {
        if (source.head && (first == nullptr || source.head->time_ns < first->head->time_ns)) first = &source;
    }
    if (first == nullptr) return std::nullopt;
    auto event = std::move(first->head);
    first->head = first->reader.next();
    return event;
}

std::string make_payload(const std::string& producer, std::uint64_t seq, std::size_t bytes) {
    std::string payload = producer + " " + std::to_string(seq) + " ";
    Random filler(payload_hash(payload));
    while (payload.size() < bytes) {
        std::array<char, sizeof(std::uint64_t)> word{};
        const std::uint64_t value = filler.next();
        std::memcpy(word.data(), &value, sizeof value);
        payload.append(word.data(), std::min(word.size(), bytes - payload.size()));
    }
    return payload;
}

std::uint64_t payload_hash(std::string_view payload) { return XXH3_64bits(payload.data(), payload.size()); }

PayloadName payload_name(std::string_view payload) {
    const auto first = payload.find(' ');
    if (first == std::string_view::npos) return {};
    const auto second = payload.find(' ', first + 1);
    if (second == std::string_view::npos) return {};
    PayloadName name;
    const char* end = payload.data() + second;
    const auto [stop, error] = std::from_chars(payload.data() + first + 1, end, name.seq);
    if (error != std::errc() || stop != end) return {};
    name.producer = payload.substr(0, first);
    return name;
}

}  // namespace telpher::test
