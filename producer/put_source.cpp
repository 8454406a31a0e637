#include "producer/put_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "proto/command/message_json.h"

namespace telpher {
namespace {

Result<Framing> framing_of(const PutFlags& flags) {
    const int chosen = flags.lines + flags.null + flags.json_lines + flags.length_prefixed;
    if (chosen > 1) return fail(Code::kUsage, "--lines, --null, --json-lines and --length-prefixed exclude each other");
    if (flags.lines || flags.json_lines) return Framing::kLines;
    if (flags.null) return Framing::kNull;
    if (flags.length_prefixed) return Framing::kLengthPrefixed;
    return flags.daemon ? Framing::kLines : Framing::kWhole;
}

/// A body given as an argument is the message itself, not the name of one.
bool is_literal(const std::optional<std::string>& body) { return body && *body != "-" && !body->starts_with('@'); }

}  // namespace

Result<std::unique_ptr<PutSource>> PutSource::open(const PutFlags& flags, int stop_fd) {
    const auto framing = framing_of(flags);
    if (!framing) return fail(framing.error());
    if (flags.count != 1 && *framing != Framing::kWhole)
        return fail(Code::kUsage, "--count repeats one message, not an input of many");
    if (flags.json_lines && (!flags.key.empty() || !flags.headers.empty()))
        return fail(Code::kUsage, "with --json-lines key and headers come from each line, not from --key and -H");
    std::unique_ptr<PutSource> source(new PutSource());
    source->count_ = flags.count;
    source->json_ = flags.json_lines;
    if (is_literal(flags.body)) {
        if (*framing != Framing::kWhole)
            return fail(Code::kUsage, "many messages come from stdin (-) or @FILE, not from an argument");
        source->body_ = *flags.body;
        return source;
    }
    if (auto opened = source->open_input(flags, *framing, stop_fd); !opened) return fail(opened.error());
    return source;
}

PutSource::~PutSource() {
    if (fd_ >= 0) ::close(fd_);
}

Result<void> PutSource::open_input(const PutFlags& flags, Framing framing, int stop_fd) {
    int fd = STDIN_FILENO;
    if (flags.body && *flags.body != "-") {
        const std::string path = flags.body->substr(1);
        fd = fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) return fail(Code::kIo, path + ": " + std::strerror(errno));
    } else if (!flags.body && ::isatty(STDIN_FILENO) == 1) {
        return fail(Code::kUsage, "no message: give it as an argument, as @FILE, or - to type it");
    }
    struct stat about {};
    if (::fstat(fd, &about) == 0 && S_ISREG(about.st_mode)) input_bytes_ = static_cast<std::uint64_t>(about.st_size);
    RecordReader reader(fd, stop_fd, framing);
    if (framing != Framing::kWhole) {
        reader_.emplace(std::move(reader));
        return {};
    }
    auto whole = reader.next();
    if (!whole) return fail(whole.error());
    body_ = *whole;
    return {};
}

Result<std::string_view> PutSource::next(PutOptions& put) {
    if (!reader_) {
        if (records_ == count_) return fail(Code::kEnd);
        done_.store(++records_, std::memory_order_relaxed);
        return std::string_view(body_);
    }
    const auto record = reader_->next();
    if (!record) return record;
    ++records_;
    done_.store(reader_->consumed_bytes(), std::memory_order_relaxed);
    return json_ ? read_json(*record, put) : record;
}

Result<std::string_view> PutSource::read_json(std::string_view line, PutOptions& put) {
    auto message = command::parse_message(line);
    if (!message) return fail(Code::kUsage, "line " + std::to_string(records_) + ": " + message.error().detail());
    body_ = std::move(message->body);
    put.key = std::move(message->key);
    put.headers = std::move(message->headers);
    return std::string_view(body_);
}

void PutSource::measure(PutCounters& counters) const {
    counters.done = done_.load(std::memory_order_relaxed);
    counters.whole = reader_ ? input_bytes_ : count_;
    counters.whole_is_messages = !reader_;
}

}  // namespace telpher
