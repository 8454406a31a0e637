// The tables of docs/protocol against the source: a page that says another number than the code is a bug in one of
// them.
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "proto/frame.h"
#include "proto/limits.h"
#include "telpher/error.h"

namespace telpher {
namespace {

std::string read_file(const std::string& path) {
    std::ifstream file(TELPHER_SOURCE_DIR "/" + path);
    EXPECT_TRUE(file) << path;
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The cells of each table row of a page, without the header rows.
std::vector<std::vector<std::string>> table_rows(const std::string& page) {
    std::vector<std::vector<std::string>> rows;
    std::istringstream lines(page);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("| ")) continue;
        std::vector<std::string> cells;
        std::istringstream row(line.substr(2));
        for (std::string cell; std::getline(row, cell, '|');) {
            cell.erase(0, cell.find_first_not_of(' '));
            cell.erase(cell.find_last_not_of(' ') + 1);
            cells.push_back(cell);
        }
        rows.push_back(cells);
    }
    return rows;
}

TEST(Docs, ErrorsAreTheCatalogue) {
    const auto yes = [](bool value) { return value ? "yes" : "no"; };
    std::map<std::string, std::vector<std::string>> documented;
    for (auto& row : table_rows(read_file("docs/protocol/errors.md"))) {
        if (row.front() != "code") documented[row.at(1)] = row;
    }
    EXPECT_EQ(documented.size(), catalogue().size());
    for (const CodeInfo& row : catalogue()) {
        const std::vector<std::string>& cells = documented[std::string(row.name)];
        ASSERT_EQ(cells.size(), 7) << row.name;
        EXPECT_EQ(cells[0], std::to_string(static_cast<std::uint32_t>(row.code))) << row.name;
        EXPECT_EQ(cells[2], yes(row.retryable)) << row.name;
        EXPECT_EQ(cells[3], yes(row.client_fault)) << row.name;
        EXPECT_EQ(cells[4], yes(row.fatal)) << row.name;
        EXPECT_EQ(cells[6], row.text) << row.name;
    }
}

/// What limits.h says, in the units of the page: numbers as they are, durations in milliseconds.
std::map<std::string, std::uint64_t> limits_in_source() {
    using namespace limits;
    const auto ms = [](auto duration) {
        return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
    };
    return {
        {"kHotHeaderBytes", kHotHeaderBytes},
        {"kControlHeaderBytes", kControlHeaderBytes},
        {"kFramesMax", kFramesMax},
        {"kRoutingIdBytes", kRoutingIdBytes},
        {"kWireSlackBytes", kWireSlackBytes},
        {"kBatchBytesMax", kBatchBytesMax},
        {"kMessageBytesDefault", kMessageBytesDefault},
        {"kMessageBytesMax", kMessageBytesMax},
        {"kBatchCountMax", kBatchCountMax},
        {"kBatchTargetBytes", kBatchTargetBytes},
        {"kHeadersMax", kHeadersMax},
        {"kKeyBytesMax", kKeyBytesMax},
        {"kHeadersBytesMax", kHeadersBytesMax},
        {"kNameBytesMax", kNameBytesMax},
        {"kSessionPutWindowBytes", kSessionPutWindowBytes},
        {"kHandlePutWindowBytes", kHandlePutWindowBytes},
        {"kParkedBytesMax", kParkedBytesMax},
        {"kPutsInFlightMax", kPutsInFlightMax},
        {"kProducerRangesMax", kProducerRangesMax},
        {"kCreditMessagesMax", kCreditMessagesMax},
        {"kCreditBytesMax", kCreditBytesMax},
        {"kSettleRangesMax", kSettleRangesMax},
        {"kSendHwm", kSendHwm},
        {"kHelloTimeout", ms(kHelloTimeout)},
        {"kHeartbeat", ms(kHeartbeat)},
        {"kSessionLease", ms(kSessionLease)},
        {"kResumeGrace", ms(kResumeGrace)},
        {"kRestartHold", ms(kRestartHold)},
        {"kProducerIdle", ms(kProducerIdle)},
        {"kNamedProducerIdle", ms(kNamedProducerIdle)},
        {"kConnectionsMax", kConnectionsMax},
        {"kDescriptorReserve", kDescriptorReserve},
        {"kHandlesMax", kHandlesMax},
        {"kQueuesMax", kQueuesMax},
        {"kProducersMax", kProducersMax},
        {"kProducerNamesMax", kProducerNamesMax},
        {"kJoinersMax", kJoinersMax},
        {"kMaxsizeDefault", kMaxsizeDefault},
        {"kMaxsizeMax", kMaxsizeMax},
        {"kNackDelayMax", ms(kNackDelayMax)},
        {"kAttemptsMax", kAttemptsMax},
        {"kAttemptsDefault", kAttemptsDefault},
        {"kBackoffDefaultMs", kBackoffDefaultMs},
        {"kBackoffMaxDefaultMs", kBackoffMaxDefaultMs},
        {"kReasonBytesMax", kReasonBytesMax},
        {"kReasonsKeptBytes", kReasonsKeptBytes},
        {"kSegmentBytes", kSegmentBytes},
        {"kCommitGroupBytesMax", kCommitGroupBytesMax},
        {"kCycleFramesMax", kCycleFramesMax},
        {"kCycleBytesMax", kCycleBytesMax},
        {"kShardCycleBytesMax", kShardCycleBytesMax},
    };
}

TEST(Docs, LimitsAreThoseOfTheSource) {
    std::map<std::string, std::uint64_t> documented;
    for (const auto& row : table_rows(read_file("docs/protocol/limits.md"))) {
        if (row.front() != "name") documented[row.front()] = std::stoull(row.at(1));
    }
    EXPECT_EQ(documented, limits_in_source());
}

TEST(Docs, NoLimitIsLeftOut) {
    const std::string header = read_file("proto/limits.h");
    const std::regex constant(R"(inline constexpr \S+ (k\w+) =)");
    std::set<std::string> declared;
    for (std::sregex_iterator it(header.begin(), header.end(), constant), end; it != end; ++it)
        declared.insert((*it)[1]);
    // Units, and what our own client library keeps in memory, are no part of the protocol.
    std::erase_if(declared, [](const std::string& name) {
        return name == "kKiB" || name == "kMiB" || name.starts_with("kClient");
    });
    std::set<std::string> listed;
    for (const auto& [name, value] : limits_in_source()) listed.insert(name);
    EXPECT_EQ(listed, declared);
}

TEST(Docs, ShortHeadersAreListed) {
    const std::string page = read_file("docs/protocol/limits.md");
    std::set<std::string> documented;
    for (const auto& row : table_rows(page)) {
        if (row.front() != "kHotHeaderBytes") continue;
        const std::regex name("[A-Z_]{2,}");
        for (std::sregex_iterator it(row.back().begin(), row.back().end(), name), end; it != end; ++it) {
            documented.insert("OP_" + it->str());
        }
    }
    std::set<std::string> declared;
    for (int op = 1; op <= v1::Op_MAX; ++op) {
        const bool hot = frame::header_bytes_max(static_cast<v1::Op>(op)) == limits::kHotHeaderBytes;
        if (v1::Op_IsValid(op) && hot) declared.insert(v1::Op_Name(static_cast<v1::Op>(op)));
    }
    EXPECT_EQ(documented, declared);
}

TEST(Docs, OpsHaveTheirNumberAndDirection) {
    const std::string page = read_file("docs/protocol/ops.md");
    const std::regex heading(R"(\n### (\w+) (->|<-) 0x([0-9a-f]{2})\n)");
    std::set<std::string> documented;
    for (std::sregex_iterator it(page.begin(), page.end(), heading), end; it != end; ++it) {
        const int number = std::stoi((*it)[3], nullptr, 16);
        EXPECT_EQ((*it)[2] == "->", number < 0x80) << (*it)[1];
        documented.insert("OP_" + it->str(1) + " " + std::to_string(number));
    }
    std::set<std::string> declared;
    for (int op = 1; op <= v1::Op_MAX; ++op) {
        if (v1::Op_IsValid(op)) declared.insert(v1::Op_Name(static_cast<v1::Op>(op)) + " " + std::to_string(op));
    }
    EXPECT_EQ(documented, declared);
}

/// "Put.handle 2 uint32" of every field of every message in telpher.proto.
std::set<std::string> fields_in_proto() {
    std::string source = std::regex_replace(read_file("proto/telpher.proto"), std::regex("//[^\n]*"), "");
    const std::regex token(R"(message (\w+) \{|enum \w+ \{|\}|((?:optional |repeated )?\w+) (\w+) = (\d+);)");
    std::vector<std::string> open;  // names of the messages and enums around; an enum is ""
    std::set<std::string> fields;
    for (std::sregex_iterator it(source.begin(), source.end(), token), end; it != end; ++it) {
        const std::smatch& match = *it;
        if (match.str() == "}") {
            open.pop_back();
        } else if (match[1].matched) {
            open.push_back(open.empty() ? match.str(1) : open.back() + "." + match.str(1));
        } else if (!match[2].matched) {
            open.emplace_back();
        } else if (!open.empty() && !open.back().empty()) {
            fields.insert(open.back() + "." + match.str(3) + " " + match.str(4) + " " + match.str(2));
        }
    }
    return fields;
}

TEST(Docs, FieldsAreThoseOfTheProtobuf) {
    std::istringstream lines(read_file("docs/protocol/ops.md"));
    const std::regex title("`([A-Za-z.]+)`:");
    std::set<std::string> documented;
    std::string message;
    for (std::string line; std::getline(lines, line);) {
        std::smatch match;
        if (std::regex_match(line, match, title)) message = match[1];
        for (const auto& cells : table_rows(line)) {
            if (cells[0] != "n") documented.insert(message + "." + cells[1] + " " + cells[0] + " " + cells[2]);
        }
    }
    const std::set<std::string> declared = fields_in_proto();
    EXPECT_GT(declared.size(), 150) << "the source is not read as it should";
    EXPECT_EQ(documented, declared);
}

TEST(Docs, LinksLeadSomewhere) {
    const std::regex link(R"(\]\(([^)#:]+)(#[^)]*)?\))");
    for (const char* name : {"README", "session", "put", "get", "ops", "batch", "errors", "limits", "rights"}) {
        const std::string page = read_file(std::string("docs/protocol/") + name + ".md");
        for (std::sregex_iterator it(page.begin(), page.end(), link), end; it != end; ++it) {
            EXPECT_TRUE(std::ifstream(TELPHER_SOURCE_DIR "/docs/protocol/" + it->str(1))) << name << ": " << it->str(1);
        }
    }
}

}  // namespace
}  // namespace telpher
