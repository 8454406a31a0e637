// How `get` writes messages: into a buffer, and to stdout with flush(), so that a verdict is given only to what was
// written. Used by one thread.
#pragma once

#include <string>

#include "proto/command/message_json.h"
#include "telpher/client.h"

namespace telpher {

/// id, body (or body_base64), key, headers, attempt, delivery.
command::Json to_json(const Message& message);

class MessageWriter {
public:
    enum class Style {
        kLine,    ///< The body and '\n'.
        kRaw,     ///< The body.
        kNull,    ///< The body and '\0'.
        kNdjson,  ///< An object a line.
        kJson,    ///< One document: an array.
        kSave,    ///< The body as a file DIR/ID, its path on stdout.
    };

    MessageWriter(Style style, std::string directory) : style_(style), directory_(std::move(directory)) {}

    /// kIo: the file cannot be written (kSave).
    Result<void> add(const Message& message);
    /// Everything that was added is written; else the exit status to end with.
    int flush();
    /// Ends the document. Like flush().
    int finish();

    [[nodiscard]] std::size_t pending_bytes() const { return buffer_.size(); }

private:
    Result<void> save(const Message& message);

    Style style_;
    std::string directory_;
    std::string buffer_;
    bool first_ = true;
};

}  // namespace telpher
