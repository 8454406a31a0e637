#include "broker/line_reader.h"

#include <xxhash.h>

#include "broker/export_format.h"

namespace telpher::broker {

LineReader::LineReader(std::istream& in) : in_(in), sum_(XXH3_createState()) { XXH3_64bits_reset(sum_.get()); }

void LineReader::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

Result<bool> LineReader::next() {
    if (number_ > 0) {
        line_ += '\n';
        XXH3_64bits_update(sum_.get(), line_.data(), line_.size());
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

std::uint64_t LineReader::sum_before() const { return XXH3_64bits_digest(sum_.get()); }

}  // namespace telpher::broker
