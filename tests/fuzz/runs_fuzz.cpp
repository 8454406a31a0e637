// The first byte chooses triples or pairs; the rest are numbers: one byte each, or 0xff and eight bytes. A list that is
// read rises, and is written again the same.
#include "proto/base/check.h"
#include "proto/frame.h"
#include "tests/fuzz/fuzz.h"

namespace telpher::fuzz {
namespace {

constexpr std::size_t kRunsMax = 64;
constexpr std::uint8_t kWide = 0xff;

frame::Numbers numbers_of(std::span<const std::uint8_t> bytes) {
    frame::Numbers numbers;
    while (!bytes.empty()) {
        const bool wide = bytes[0] == kWide && bytes.size() > sizeof(std::uint64_t);
        numbers.Add(wide ? load_le<std::uint64_t>(std::as_bytes(bytes).data() + 1) : bytes[0]);
        bytes = bytes.subspan(wide ? 1 + sizeof(std::uint64_t) : 1);
    }
    return numbers;
}

void check_same_again(const frame::Numbers& numbers, const std::vector<frame::Run>& runs, bool triples) {
    TELPHER_CHECK(runs.size() <= kRunsMax);
    frame::Numbers again;
    std::uint64_t end = 0;
    for (const frame::Run& run : runs) {
        TELPHER_CHECK(run.count > 0 && run.first >= end && run.first + run.count > run.first);
        if (triples) {
            frame::add_run(again, end, run);
        } else {
            frame::add_range(again, end, run.first, run.count);
        }
    }
    TELPHER_CHECK(std::equal(again.begin(), again.end(), numbers.begin(), numbers.end()));
}

}  // namespace

std::vector<std::string> seeds() {
    using namespace std::string_literals;
    const std::string wide = "\xff\xf0\xff\xff\xff\xff\xff\xff\xff";
    return {"\1\0\2\1\3\1\2"s, "\0\5\1\0\2\7\1"s, "\1" + wide + "\1\1", "\0\1\1" + wide + "\2"};
}

}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace telpher;
    if (size == 0) return 0;
    const bool triples = (data[0] & 1) != 0;
    const frame::Numbers numbers = fuzz::numbers_of({data + 1, size - 1});
    const auto runs = triples ? frame::read_runs(numbers, fuzz::kRunsMax) : frame::read_ranges(numbers, fuzz::kRunsMax);
    if (runs) {
        fuzz::check_same_again(numbers, *runs, triples);
    } else {
        TELPHER_CHECK(runs.error().code() == Code::kProtocol);
    }
    return 0;
}
