// Runs a fuzz program without libFuzzer, for any compiler: mutates the program's seeds a given number of times.
//
//   fuzz_x [-runs=N] [CORPUS.hex]    the corpus has more seeds
//   fuzz_x FILE...                   files are run as they are (what libFuzzer found, say), instead of mutations
//
// The same TELPHER_SEED gives the same inputs.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string_view>

#include "proto/base/random.h"
#include "tests/fuzz/corpus.h"
#include "tests/support/seed.h"

namespace telpher::fuzz {
namespace {

constexpr std::uint64_t kRunsDefault = 100'000;
constexpr std::size_t kInputBytesMax = 4096;
constexpr std::uint64_t kChangesMax = 6;

void run(std::string_view input) {
    // A heap block of the very size lets AddressSanitizer see a read past the end.
    const std::vector<std::uint8_t> bytes(input.begin(), input.end());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

/// Small numbers, limits and noise: what fields are made of.
char interesting(Random& random) {
    constexpr unsigned char kEdges[] = {0, 1, 2, 0x7f, 0x80, 0xff};
    return static_cast<char>(random.below(2) != 0 ? kEdges[random.below(std::size(kEdges))] : random.next() & 0xff);
}

std::string mutated(const std::vector<std::string>& seeds, Random& random) {
    std::string input = seeds[random.below(seeds.size())];
    for (auto changes = 1 + random.below(kChangesMax); changes > 0; --changes) {
        const std::size_t at = random.below(input.size() + 1);
        const std::size_t some = 1 + random.below(8);
        switch (random.below(6)) {
            case 0:
            case 1:
                if (at < input.size()) input[at] = interesting(random);
                break;
            case 2:
                if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << random.below(8)));
                break;
            case 3:
                input.erase(at, some);
                break;
            case 4:
                input.insert(at, some, interesting(random));
                break;
            default: {  // a piece of another seed
                const std::string& other = seeds[random.below(seeds.size())];
                input.insert(at, other, random.below(other.size() + 1), some);
            }
        }
    }
    if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
    return input;
}

std::string read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path.string());
    return {std::istreambuf_iterator<char>(file), {}};
}

void run_mutations(std::uint64_t runs, const std::filesystem::path& corpus) {
    const std::uint64_t seed = test::count_from_env("TELPHER_SEED", system_entropy() % 1'000'000'000);
    std::cout << "TELPHER_SEED=" << seed << " runs=" << runs << std::endl;
    Random random(seed);
    const std::vector<std::string> seeds = all_seeds(corpus);
    for (const std::string& input : seeds) run(input);
    for (std::uint64_t i = 0; i < runs; ++i) run(mutated(seeds, random));
}

}  // namespace
}  // namespace telpher::fuzz

int main(int argc, char** argv) {
    constexpr std::string_view kRuns = "-runs=";
    std::uint64_t runs = telpher::fuzz::kRunsDefault;
    std::filesystem::path corpus;
    std::vector<std::filesystem::path> files;
    for (const std::string_view argument : std::vector<std::string_view>(argv + 1, argv + argc)) {
        if (argument.starts_with(kRuns)) {
            runs = std::stoull(std::string(argument.substr(kRuns.size())));
        } else if (argument.ends_with(".hex")) {
            corpus = argument;
        } else {
            files.emplace_back(argument);
        }
    }
    for (const auto& file : files) telpher::fuzz::run(telpher::fuzz::read(file));
    if (files.empty()) telpher::fuzz::run_mutations(runs, corpus);
    return 0;
}
