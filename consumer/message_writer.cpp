#include "consumer/message_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "proto/command/output.h"

namespace telpher {

command::Json to_json(const Message& message) {
    command::Json object{{"id", message.id()}};
    command::set_body(object, message.text());
    object["key"] = message.key();
    object["headers"] = command::Json::object();
    for (const auto& [name, value] : message.headers()) object["headers"][std::string(name)] = value;
    object["attempt"] = message.attempt();
    object["delivery"] = message.delivery();
    return object;
}

Result<void> MessageWriter::add(const Message& message) {
    switch (style_) {
        case Style::kRaw:
            buffer_.append(message.text());
            break;
        case Style::kLine:
            buffer_.append(message.text()).push_back('\n');
            break;
        case Style::kNull:
            buffer_.append(message.text()).push_back('\0');
            break;
        case Style::kNdjson:
            buffer_.append(command::dump(to_json(message))).push_back('\n');
            break;
        case Style::kJson:
            buffer_.append(first_ ? "[" : ",\n ").append(command::dump(to_json(message)));
            break;
        case Style::kSave:
            return save(message);
    }
    first_ = false;
    return {};
}

Result<void> MessageWriter::save(const Message& message) {
    const std::string path = directory_ + "/" + std::to_string(message.id());
    const std::string partial = path + ".part";  // a name in DIR always has the whole body behind it
    const int fd = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return fail(Code::kIo, partial + ": " + std::strerror(errno));
    const bool written = command::write_all(fd, message.text());
    const bool closed = ::close(fd) == 0;
    if (!written || !closed || std::rename(partial.c_str(), path.c_str()) != 0) {
        return fail(Code::kIo, path + ": " + std::strerror(errno));
    }
    buffer_.append(path).push_back('\n');
    return {};
}

int MessageWriter::flush() {
    const int status = command::print(buffer_);
    buffer_.clear();
    return status;
}

int MessageWriter::finish() {
    if (style_ == Style::kJson) buffer_.append(first_ ? "[]\n" : "]\n");
    return flush();
}

}  // namespace telpher
