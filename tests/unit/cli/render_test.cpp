#include "cli/render.h"

#include <gtest/gtest.h>

namespace telpher::cli {
namespace {

using command::Format;
using command::Globals;

Globals as(Format format) {
    Globals globals;
    globals.output = format;
    globals.color = "never";
    return globals;
}

QueueStats jobs() {
    QueueStats queue;
    queue.name = "jobs";
    queue.maxsize = 50;
    queue.ready = 40;
    queue.leased = 7;
    queue.delayed = 3;
    queue.put = 12'345;
    queue.blocked_producers = 2;
    queue.lease = Millis(30'000);
    return queue;
}

TEST(Render, QueueShowHasEveryFieldScriptsRelyOn) {
    const Json object = Json::parse(render(jobs(), as(Format::kJson)));
    for (const char* field : {"name",      "maxsize",    "max_bytes",  "on_full",    "durability",
                              "ready",     "leased",     "delayed",    "dead",       "unfinished",
                              "sealed",    "paused",     "generation", "producers",  "blocked_producers",
                              "consumers", "put",        "acked",      "nacked",     "redelivered",
                              "dropped",   "expired",    "rejected",   "high_water", "lost",
                              "bytes",     "blocked_ms", "owner"}) {
        EXPECT_TRUE(object.contains(field)) << field;
    }
    EXPECT_EQ(object["unfinished"], 50);
    EXPECT_EQ(object["on_full"], "block");
    EXPECT_EQ(object["durability"], "fsync");
    EXPECT_EQ(object["lease_ms"], 30'000);
    EXPECT_EQ(object["sealed"], false);
}

TEST(Render, JsonIsOneDocumentAndNdjsonOneObjectALine) {
    const std::vector<QueueStats> two{jobs(), jobs()};
    const Json document = Json::parse(render(two, as(Format::kJson)));
    EXPECT_TRUE(document.is_array());
    EXPECT_EQ(document.size(), 2U);
    const std::string lines = render(two, as(Format::kNdjson));
    EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
    EXPECT_EQ(Json::parse(lines.substr(0, lines.find('\n')))["name"], "jobs");
    EXPECT_EQ(render(std::vector<QueueStats>{}, as(Format::kJson)), "[]\n");
    EXPECT_EQ(render(std::vector<QueueStats>{}, as(Format::kNdjson)), "");
}

TEST(Render, TableIsForPeople) {
    const std::string text = render(std::vector<QueueStats>{jobs()}, as(Format::kTable));
    EXPECT_NE(text.find("12,345"), std::string::npos) << text;
    EXPECT_NE(text.find("open, full"), std::string::npos) << text;
}

TEST(Render, PairsForOneThing) {
    const std::string text = render(jobs(), as(Format::kTable));
    EXPECT_TRUE(text.starts_with("name               jobs\n")) << text;
    EXPECT_NE(text.find("maxsize            50\n"), std::string::npos) << text;
}

TEST(Render, PeekShowsNothingThatMovesTheCursor) {
    Peeked text, binary, huge;
    text.body = "a\x1b[2Jb\nc";
    binary.body = "\xff\xfe";
    huge.body = std::string(59, 'x') + "\xc3\xa4 and more";  // cut would fall inside the character
    const std::string table = render(std::vector<Peeked>{text, binary, huge}, as(Format::kTable));
    EXPECT_EQ(table.find('\x1b'), std::string::npos);
    EXPECT_NE(table.find("a [2Jb c"), std::string::npos) << table;
    EXPECT_NE(table.find("(binary, 2 B)"), std::string::npos) << table;
    EXPECT_NE(table.find(std::string(59, 'x') + "..."), std::string::npos) << table;
    EXPECT_EQ(to_json(binary)["body_base64"], "//4=");
}

}  // namespace
}  // namespace telpher::cli
