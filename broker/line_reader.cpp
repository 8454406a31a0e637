#include "broker/line_reader.h"

#include <ios>
#include <string>

#include "broker/export_format.h"

namespace telpher::broker {

Result<bool> LineReader::next() try {
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
} catch (const std::ios_base::failure& error) {  // the buffer throws it, whatever the stream was told to do
    return fail(Code::kIo, std::string("cannot read the export: ") + error.what());
}

}  // namespace telpher::broker
