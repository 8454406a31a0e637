// Gives libFuzzer, which reads its inputs from folders, the seeds that a program has.
//
//   fuzz_x --write-seeds=DIR [CORPUS.hex]    writes them to DIR, and those of the corpus, one a file, and ends
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string_view>

#include "tests/fuzz/corpus.h"

namespace telpher::fuzz {
namespace {

int write_seeds(const std::filesystem::path& folder, const std::filesystem::path& corpus) {
    std::size_t number = 0;
    for (const std::string& seed : all_seeds(corpus)) {
        std::ofstream file(folder / ("seed-" + std::to_string(number++)), std::ios::binary);
        file << seed;
        if (file.flush()) continue;
        std::cerr << "cannot write to " << folder << '\n';
        return 1;
    }
    return 0;
}

}  // namespace
}  // namespace telpher::fuzz

/// libFuzzer calls this first; it passes over flags that begin with two dashes.
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
    constexpr std::string_view kWriteSeeds = "--write-seeds=";
    for (int i = 1; i < *argc; ++i) {
        const std::string_view argument = (*argv)[i];
        if (argument.starts_with(kWriteSeeds)) {
            const char* corpus = i + 1 < *argc ? (*argv)[i + 1] : "";
            std::exit(telpher::fuzz::write_seeds(argument.substr(kWriteSeeds.size()), corpus));
        }
    }
    return 0;
}
