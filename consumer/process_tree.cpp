#include "consumer/process_tree.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

namespace telpher {
namespace {

constexpr std::size_t kProcessesMax = 10'000;  // of a tree; a loop in a changing /proc ends

std::uint64_t rss_of(const std::string& folder) {
    static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    std::ifstream file(folder + "/statm");
    std::uint64_t total = 0, resident = 0;
    file >> total >> resident;
    return file ? resident * page : 0;
}

void add_children(const std::string& folder, std::vector<pid_t>& tree) {
    std::error_code error;
    for (std::filesystem::directory_iterator at(folder + "/task", error), end; !error && at != end;
         at.increment(error)) {
        std::ifstream file(at->path() / "children");
        for (pid_t child = 0; file >> child;) tree.push_back(child);
    }
}

}  // namespace

std::uint64_t tree_rss(pid_t root) {
    std::vector<pid_t> tree{root};
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < tree.size() && i < kProcessesMax; ++i) {
        const std::string folder = "/proc/" + std::to_string(tree[i]);
        bytes += rss_of(folder);
        add_children(folder, tree);
    }
    return bytes;
}

}  // namespace telpher
