#include "tests/unit/proto/vectors.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace telpher::test {
namespace {

void add_hex(std::string_view line, std::string& frame) {
    std::istringstream words{std::string(line.substr(0, line.find('#')))};
    for (std::string word; words >> word;) {
        ASSERT_EQ(word.size(), 2) << line;
        frame += static_cast<char>(std::stoi(word, nullptr, 16));
    }
}

}  // namespace

Vectors load_vectors() {
    std::ifstream file(TELPHER_SOURCE_DIR "/docs/protocol/vectors/vectors.txt");
    EXPECT_TRUE(file);
    Vectors vectors;
    std::vector<std::string>* frames = nullptr;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line.front() == '#') continue;
        if (line.starts_with("== ")) {
            const std::string name = line.substr(3, line.find(':') - 3);
            EXPECT_FALSE(vectors.contains(name)) << name;
            frames = &vectors[name];
        } else if (line.starts_with("-- ") && frames != nullptr) {
            frames->emplace_back();
        } else if (frames != nullptr && !frames->empty()) {
            add_hex(line, frames->back());
        } else {
            ADD_FAILURE() << "bytes outside of a frame: " << line;
        }
    }
    return vectors;
}

}  // namespace telpher::test
