#include "producer/record_reader.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <thread>
#include <vector>

#include "proto/command/output.h"
#include "proto/limits.h"

namespace telpher {
namespace {

/// A pipe that a thread fills with `input`, `chunk` bytes a write.
class Input {
public:
    explicit Input(std::string input, std::size_t chunk = 1 << 20) {
        EXPECT_EQ(::pipe(ends_.data()), 0);
        writer_ = std::thread([this, input = std::move(input), chunk] {
            for (std::size_t at = 0; at < input.size(); at += chunk) {
                if (!command::write_all(ends_[1], std::string_view(input).substr(at, chunk))) break;
            }
            ::close(ends_[1]);
        });
    }
    ~Input() {
        ::close(ends_[0]);
        writer_.join();
    }
    [[nodiscard]] int fd() const { return ends_[0]; }

private:
    std::array<int, 2> ends_{};
    std::thread writer_;
};

std::vector<std::string> records(const std::string& input, Framing framing, std::size_t chunk = 1 << 20) {
    Input pipe(input, chunk);
    RecordReader reader(pipe.fd(), -1, framing);
    std::vector<std::string> all;
    for (;;) {
        const auto record = reader.next();
        if (!record) {
            EXPECT_EQ(record.error().code(), Code::kEnd) << record.error().message();
            EXPECT_EQ(reader.consumed_bytes(), input.size());
            return all;
        }
        all.emplace_back(*record);
    }
}

using Texts = std::vector<std::string>;

TEST(RecordReader, LinesEmptyOnesAndALastOneWithoutEnd) {
    EXPECT_EQ(records("a\n\nbc\nd", Framing::kLines), (Texts{"a", "", "bc", "d"}));
    EXPECT_EQ(records("a\n", Framing::kLines), (Texts{"a"}));
    EXPECT_EQ(records("", Framing::kLines), (Texts{}));
    EXPECT_EQ(records("\n", Framing::kLines), (Texts{""}));
}

TEST(RecordReader, CutsTheSameWhateverTheReadsAre) {
    EXPECT_EQ(records("alpha\nbeta\ngamma", Framing::kLines, 1), (Texts{"alpha", "beta", "gamma"}));
}

TEST(RecordReader, NullKeepsNewlines) {
    EXPECT_EQ(records(std::string("a\nb\0c\0", 6), Framing::kNull), (Texts{"a\nb", "c"}));
}

TEST(RecordReader, LengthPrefixed) {
    EXPECT_EQ(records(std::string("\2\0\0\0ab\0\0\0\0\1\0\0\0c", 15), Framing::kLengthPrefixed, 3),
              (Texts{"ab", "", "c"}));
}

TEST(RecordReader, WholeIsOneEvenIfEmpty) {
    EXPECT_EQ(records("a\nb", Framing::kWhole), (Texts{"a\nb"}));
    EXPECT_EQ(records("", Framing::kWhole), (Texts{""}));
}

TEST(RecordReader, ManyLinesOverManyReads) {
    std::string input;
    for (int i = 0; i < 200'000; ++i) input += std::to_string(i) + "\n";
    const Texts all = records(input, Framing::kLines, 65'536);
    ASSERT_EQ(all.size(), 200'000U);
    for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], std::to_string(i));
}

TEST(RecordReader, EndInsideARecordIsAnError) {
    for (const std::string& input : {std::string("\2\0\0\0a", 5), std::string("\2\0", 2)}) {
        Input pipe(input);
        EXPECT_EQ(RecordReader(pipe.fd(), -1, Framing::kLengthPrefixed).next().error().code(), Code::kIo);
    }
}

TEST(RecordReader, RecordsOverTheLimitAreRefused) {
    const std::string large(limits::kMessageBytesMax + 1, 'x');
    for (const Framing framing : {Framing::kLines, Framing::kNull, Framing::kWhole}) {
        Input pipe(large);
        EXPECT_EQ(RecordReader(pipe.fd(), -1, framing).next().error().code(), Code::kTooLarge);
    }
    Input prefixed(std::string("\1\0\0\1", 4));
    EXPECT_EQ(RecordReader(prefixed.fd(), -1, Framing::kLengthPrefixed).next().error().code(), Code::kTooLarge);
    EXPECT_EQ(records(std::string(limits::kMessageBytesMax, 'x') + "\n", Framing::kLines).front().size(),
              limits::kMessageBytesMax);
}

TEST(RecordReader, AStopEndsTheWaitForInput) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    const int stop = ::eventfd(1, 0);
    EXPECT_EQ(RecordReader(ends[0], stop, Framing::kLines).next().error().code(), Code::kStopped);
    for (const int fd : {ends[0], ends[1], stop}) ::close(fd);
}

}  // namespace
}  // namespace telpher
