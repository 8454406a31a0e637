// The input is the state file of a follower. What is read is saved and read again the same.
#include "producer/follow_state.h"

#include "proto/base/check.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input_file.h"

namespace telpher::fuzz {

std::vector<std::string> seeds() {
    const std::string file = R"({"name":"app.log","device":1,"inode":2,"head_bytes":3,"head_hash":4,"first":0,)"
                             R"("record":5,"offset":6,"tail_bytes":7,"tail_hash":8,"changed_ns":9,"head":"ab\u00e9"})";
    const std::string old = R"({"name":"a","device":1,"inode":2,"head_bytes":256,"head_hash":4,"first":0,)"
                            R"("record":18446744073709551615,"offset":6})";
    const std::string head = R"({"telpher_follow_state":1,"owner":"fuzz","files":[)";
    return {head + "]}",
            head + file + "]}",
            head + old + "," + file + "]}",
            head + "{}]}",
            R"({"telpher_follow_state":2})",
            R"({"telpher_follow_state":1,"owner":"another","files":[]})"};
}

namespace {

bool same(const FollowedFile& a, const FollowedFile& b) {
    return a.name == b.name && a.identity.device == b.identity.device && a.identity.inode == b.identity.inode &&
           a.identity.head_bytes == b.identity.head_bytes && a.identity.head_hash == b.identity.head_hash &&
           a.first == b.first && a.record == b.record && a.offset == b.offset && a.tail.bytes == b.tail.bytes &&
           a.tail.hash == b.tail.hash && a.changed_ns == b.changed_ns && a.head == b.head;
}

}  // namespace
}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace telpher;
    static const fuzz::InputFile kFile("producer.state");
    kFile.write(fuzz::text_of(data, size));
    FollowState state(kFile.path(), "fuzz");
    if (const auto loaded = state.load(); !loaded) {
        TELPHER_CHECK(loaded.error().code() == Code::kConfig);
        return 0;
    }
    for (const FollowedFile& file : state.files) {
        TELPHER_CHECK(file.head.size() <= FollowedFile::kHeadKept);
        TELPHER_CHECK(file.identity.head_bytes <= FileIdentity::kHeadBytes);
    }
    TELPHER_CHECK(state.save().has_value());
    FollowState again(kFile.path(), "fuzz");
    TELPHER_CHECK(again.load().has_value());
    TELPHER_CHECK(std::ranges::equal(state.files, again.files, fuzz::same));
    return 0;
}
