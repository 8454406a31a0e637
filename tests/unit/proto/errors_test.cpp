#include "telpher/error.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>

namespace telpher {
namespace {

std::string read_file(const std::string& path) {
    std::ifstream file(std::string(TELPHER_SOURCE_DIR) + "/" + path);
    EXPECT_TRUE(file) << path;
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Errors, EveryCodeHasARow) {
    const std::string header = read_file("proto/include/telpher/error.h");
    const std::regex enumerator(R"(\n    k\w+ = (\d+),)");
    std::set<std::uint32_t> declared;
    for (std::sregex_iterator it(header.begin(), header.end(), enumerator), end; it != end; ++it) {
        declared.insert(static_cast<std::uint32_t>(std::stoul((*it)[1])));
    }
    std::set<std::uint32_t> listed;
    for (const CodeInfo& row : catalogue()) listed.insert(static_cast<std::uint32_t>(row.code));
    EXPECT_GT(declared.size(), 30);
    EXPECT_EQ(declared, listed);
    EXPECT_EQ(listed.size(), catalogue().size()) << "a code is listed twice";
}

TEST(Errors, NamesAreUniqueAndPlain) {
    const std::regex plain("OK|E_[A-Z_]+");
    std::set<std::string_view> names;
    for (const CodeInfo& row : catalogue()) {
        EXPECT_TRUE(names.insert(row.name).second) << row.name;
        EXPECT_TRUE(std::regex_match(std::string(row.name), plain)) << row.name;
        EXPECT_FALSE(row.text.empty()) << row.name;
        EXPECT_EQ(&info(row.code), &row) << row.name;
    }
}

TEST(Errors, UnknownCodesAreInternal) {
    EXPECT_EQ(info(static_cast<Code>(9)).code, Code::kInternal);
    EXPECT_EQ(info(static_cast<Code>(UINT32_MAX)).code, Code::kInternal);
}

TEST(Errors, MessageSaysWhatAndWhere) {
    EXPECT_EQ(Error(Code::kNotFound, "jobs").message(), "E_NOT_FOUND: no queue of that name: jobs");
    EXPECT_EQ(Error(Code::kNotFound).message(), "E_NOT_FOUND: no queue of that name");
}

}  // namespace
}  // namespace telpher
