#include "broker/line_reader.h"

#include "broker/export_format.h"

namespace telpher::broker {

Result<bool> LineReader::next() {
    if (number_ > 0) {
        line_ += '\n';
        sum_.add(as_bytes(line_));
    }
    line_.clear();
    ++number_;
    std::streambuf& bytes = *in_.rdbuf();
    constexpr int kEnd = std::char_traits<char>::eof();
    for (int byte = bytes.sbumpc(); byte != '\n'; byte = bytes.sbumpc()) {
        if (byte == kEnd) return line_.empty() ? Result<bool>(false) : fail(Code::kCorrupt, "the line is cut");
        if (line_.size() == kExportLineMax) return fail(Code::kCorrupt, "the line is too long");
        line_ += static_cast<char>(byte);
    }
    return true;
}

}  // namespace telpher::broker
