#include "tests/support/temp_dir.h"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace telpher::test {

TempDir::TempDir() {
    // Not $TMPDIR: it may be long.
    std::string pattern = "/tmp/telpher-test-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = pattern;
}

TempDir::~TempDir() {
    std::error_code ignored;  // a folder left behind in /tmp fails no test
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace telpher::test
