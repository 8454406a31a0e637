#include "tests/support/faulty_file_system.h"

#include <algorithm>

#include "proto/base/check.h"

namespace telpher::test {
namespace {

std::string parent_of(const std::string& path) { return path.substr(0, path.find_last_of('/')); }

}  // namespace

class FaultyFileSystem::Handle final : public log::File {
public:
    Handle(FaultyFileSystem& files, std::shared_ptr<Node> node, std::string path, bool writable)
        : files_(files), node_(std::move(node)), path_(std::move(path)), writable_(writable), life_(files.life_) {}

    Result<void> write_at(std::uint64_t position, std::span<const Bytes> parts) override {
        const std::lock_guard lock(files_.mutex_);
        if (!writable_) return fail(Code::kIo, "write " + path_ + ": opened for reading");
        if (auto alive = check_alive(); !alive) return alive;
        std::vector<std::byte> bytes;
        for (const Bytes part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
        const auto entered = files_.enter(Op::kWrite);
        if (!entered) bytes.resize(files_.torn_writes_.below(bytes.size() + 1));
        if (!bytes.empty()) put(position, bytes);
        return entered;
    }

    void begin_write_back(std::uint64_t, std::uint64_t) override {}  // a power cut keeps any of it anyway

    Result<void> sync() override {
        if (files_.before_sync) files_.before_sync();
        const std::lock_guard lock(files_.mutex_);
        if (auto alive = check_alive(); !alive) return alive;
        const auto entered = files_.enter(Op::kSync);
        if (entered) {
            node_->disk.resize(node_->cache.size());
            for (const std::uint64_t sector : node_->dirty) write_through(*node_, sector);
            node_->size_dirty = false;
        }
        if (life_ == files_.life_) node_->dirty.clear();  // a failed sync loses them, too
        return entered;
    }

    Result<std::size_t> read_at(std::uint64_t position, MutableBytes into) const override {
        const std::lock_guard lock(files_.mutex_);
        if (auto alive = check_alive(); !alive) return fail(alive.error());
        if (auto entered = files_.enter(Op::kRead); !entered) return fail(entered.error());
        if (position >= node_->cache.size()) return 0;
        const std::size_t count = std::min<std::uint64_t>(into.size(), node_->cache.size() - position);
        std::copy_n(node_->cache.begin() + static_cast<std::ptrdiff_t>(position), count, into.begin());
        return count;
    }

    Result<void> allocate(std::uint64_t size) override {
        const std::lock_guard lock(files_.mutex_);
        if (auto alive = check_alive(); !alive) return alive;
        if (auto entered = files_.enter(Op::kAllocate); !entered) return entered;
        if (auto room = files_.check_room(); !room) return room;
        grow(size);
        return {};
    }

    Result<void> truncate(std::uint64_t size) override {
        const std::lock_guard lock(files_.mutex_);
        if (auto alive = check_alive(); !alive) return alive;
        if (auto entered = files_.enter(Op::kTruncate); !entered) return entered;
        TELPHER_CHECK(size <= node_->cache.size());
        node_->cache.resize(size);
        node_->dirty.erase(node_->dirty.lower_bound((size + kSectorBytes - 1) / kSectorBytes), node_->dirty.end());
        node_->size_dirty = true;
        return {};
    }

    [[nodiscard]] Result<std::uint64_t> size() const override {
        const std::lock_guard lock(files_.mutex_);
        if (auto alive = check_alive(); !alive) return fail(alive.error());
        return node_->cache.size();
    }

private:
    Result<void> check_alive() const {
        if (life_ == files_.life_) return {};
        return fail(Code::kIo, path_ + ": opened before the crash");
    }

    void grow(std::uint64_t size) {
        if (size <= node_->cache.size()) return;
        node_->cache.resize(size);
        node_->size_dirty = true;
    }

    void put(std::uint64_t position, const std::vector<std::byte>& bytes) {
        grow(position + bytes.size());
        std::erase_if(node_->wounds,
                      [&](const Wound& wound) { return wound.at < position + bytes.size() && position < wound.end(); });
        std::copy(bytes.begin(), bytes.end(), node_->cache.begin() + static_cast<std::ptrdiff_t>(position));
        const std::uint64_t last = (position + bytes.size() - 1) / kSectorBytes;
        for (std::uint64_t sector = position / kSectorBytes; sector <= last; ++sector) node_->dirty.insert(sector);
    }

    FaultyFileSystem& files_;
    const std::shared_ptr<Node> node_;
    const std::string path_;
    const bool writable_;
    const std::uint64_t life_;
};

Result<void> FaultyFileSystem::enter(Op op) {
    counts_[op] += 1;
    const auto fault = faults_.find(op);
    if (fault == faults_.end() || --fault->second.left > 0) return {};
    const Fault due = fault->second;
    faults_.erase(fault);
    ++injected_;
    if (due.deadly) life_ += 1;
    return fail(due.code, "injected");
}

Result<void> FaultyFileSystem::check_room() const {
    if (full_) return fail(Code::kDiskFull, "no room");
    return {};
}

void FaultyFileSystem::forget_clean(Node& node) {
    std::vector<std::byte> cache = node.disk;
    cache.resize(node.cache.size());
    for (const std::uint64_t sector : node.dirty) {
        const std::uint64_t from = sector * kSectorBytes;
        const std::uint64_t to = std::min<std::uint64_t>(from + kSectorBytes, node.cache.size());
        std::copy(node.cache.begin() + static_cast<std::ptrdiff_t>(from),
                  node.cache.begin() + static_cast<std::ptrdiff_t>(to),
                  cache.begin() + static_cast<std::ptrdiff_t>(from));
    }
    node.cache = std::move(cache);
}

void FaultyFileSystem::write_through(Node& node, std::uint64_t sector) {
    const std::uint64_t from = sector * kSectorBytes;
    const std::uint64_t to = std::min<std::uint64_t>(from + kSectorBytes, node.cache.size());
    if (node.disk.size() < to) node.disk.resize(to);
    std::copy(node.cache.begin() + static_cast<std::ptrdiff_t>(from),
              node.cache.begin() + static_cast<std::ptrdiff_t>(to),
              node.disk.begin() + static_cast<std::ptrdiff_t>(from));
}

Result<std::unique_ptr<log::File>> FaultyFileSystem::create(const std::string& path) {
    const std::lock_guard lock(mutex_);
    if (auto entered = enter(Op::kCreate); !entered) return fail(entered.error());
    if (auto room = check_room(); !room) return fail(room.error());
    if (names_.contains(path)) return fail(Code::kIo, "create " + path + ": exists");
    auto node = std::make_shared<Node>();
    names_[path] = node;
    changes_.push_back({"", path, node});
    return std::make_unique<Handle>(*this, node, path, true);
}

Result<std::unique_ptr<log::File>> FaultyFileSystem::open(const std::string& path, bool writable) {
    const std::lock_guard lock(mutex_);
    if (auto entered = enter(Op::kOpen); !entered) return fail(entered.error());
    const auto found = names_.find(path);
    if (found == names_.end()) return fail(Code::kIo, "open " + path + ": no such file");
    if (writable) forget_clean(*found->second);
    return std::make_unique<Handle>(*this, found->second, path, writable);
}

Result<std::unique_ptr<log::File>> FaultyFileSystem::reuse(const std::string& path) {
    const std::lock_guard lock(mutex_);
    if (auto entered = enter(Op::kOpen); !entered) return fail(entered.error());
    const auto found = names_.find(path);
    if (found == names_.end()) return fail(Code::kIo, "open " + path + ": no such file");
    return std::make_unique<Handle>(*this, found->second, path, true);
}

Result<void> FaultyFileSystem::rename(const std::string& from, const std::string& to) {
    const std::lock_guard lock(mutex_);
    if (auto entered = enter(Op::kRename); !entered) return entered;
    const auto found = names_.find(from);
    if (found == names_.end()) return fail(Code::kIo, "rename " + from + ": no such file");
    const auto node = found->second;
    names_.erase(found);
    names_[to] = node;
    changes_.push_back({from, to, node});
    return {};
}

Result<void> FaultyFileSystem::remove(const std::string& path) {
    const std::lock_guard lock(mutex_);
    if (auto entered = enter(Op::kRemove); !entered) return entered;
    const auto found = names_.find(path);
    if (found == names_.end()) return fail(Code::kIo, "remove " + path + ": no such file");
    changes_.push_back({path, "", found->second});
    names_.erase(found);
    return {};
}

Result<std::vector<std::string>> FaultyFileSystem::list(const std::string& dir) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    for (const auto& [path, node] : names_) {
        if (parent_of(path) == dir) found.push_back(path.substr(dir.size() + 1));
    }
    return found;
}

Result<void> FaultyFileSystem::make_dir(const std::string&) { return {}; }

Result<void> FaultyFileSystem::sync_dir(const std::string& path) {
    const std::lock_guard lock(mutex_);
    if (auto entered = enter(Op::kSyncDir); !entered) return entered;
    std::vector<NameChange> elsewhere;
    for (const NameChange& change : changes_) {
        const bool here = parent_of(change.from.empty() ? change.to : change.from) == path;
        here ? apply(change) : elsewhere.push_back(change);
    }
    changes_ = std::move(elsewhere);
    return {};
}

Result<std::uint64_t> FaultyFileSystem::free_bytes(const std::string&) const {
    const std::lock_guard lock(mutex_);
    return full_ ? 0 : free_bytes_;
}

void FaultyFileSystem::apply(const NameChange& change) {
    if (!change.from.empty()) {
        const auto found = durable_names_.find(change.from);
        // A rename or removal whose own past did not reach the disk has nothing to act on.
        if (found == durable_names_.end() || found->second != change.node) return;
        durable_names_.erase(found);
    }
    if (!change.to.empty()) durable_names_[change.to] = change.node;
}

void FaultyFileSystem::power_cut(std::uint64_t seed) {
    const std::lock_guard lock(mutex_);
    Random random(seed);
    // Now and then all or nothing, mostly a mixture.
    const std::uint64_t kept_of_8 = random.below(9);
    const auto keep = [&] { return random.below(8) < kept_of_8; };
    std::set<std::shared_ptr<Node>> nodes;
    for (const auto& [path, node] : names_) nodes.insert(node);
    for (const auto& [path, node] : durable_names_) nodes.insert(node);
    std::vector<std::shared_ptr<Node>> ordered;  // by name, not by address: the seed must decide alone
    for (const auto* names : {&names_, &durable_names_}) {
        for (const auto& [path, node] : *names) {
            if (nodes.erase(node) > 0) ordered.push_back(node);
        }
    }
    for (const auto& node : ordered) {
        if (node->size_dirty && keep() && node->disk.size() < node->cache.size()) node->disk.resize(node->cache.size());
        for (const std::uint64_t sector : node->dirty) {
            if (keep()) write_through(*node, sector);
        }
        node->dirty.clear();
        node->size_dirty = false;
        node->cache = node->disk;
    }
    for (const NameChange& change : changes_) {
        if (keep()) apply(change);
    }
    changes_.clear();
    names_ = durable_names_;
    life_ += 1;
}

void FaultyFileSystem::kill_process() {
    const std::lock_guard lock(mutex_);
    life_ += 1;
}

void FaultyFileSystem::fail_nth(Op op, std::uint64_t nth, Code code) {
    const std::lock_guard lock(mutex_);
    faults_[op] = {nth, code, false};
}

void FaultyFileSystem::die_at_nth(Op op, std::uint64_t nth) {
    const std::lock_guard lock(mutex_);
    faults_[op] = {nth, Code::kIo, true};
}

void FaultyFileSystem::clear_faults() {
    const std::lock_guard lock(mutex_);
    faults_.clear();
}

void FaultyFileSystem::set_free_bytes(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    free_bytes_ = bytes;
}

void FaultyFileSystem::set_full(bool full) {
    const std::lock_guard lock(mutex_);
    full_ = full;
}

std::uint64_t FaultyFileSystem::count(Op op) const {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find(op);
    return found == counts_.end() ? 0 : found->second;
}

std::uint64_t FaultyFileSystem::injected() const {
    const std::lock_guard lock(mutex_);
    return injected_;
}

std::vector<std::byte> FaultyFileSystem::contents(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    const auto found = names_.find(path);
    TELPHER_CHECK_MSG(found != names_.end(), path);
    return found->second->cache;
}

void FaultyFileSystem::overwrite(const std::string& path, std::uint64_t at, Bytes bytes) {
    const std::lock_guard lock(mutex_);
    const auto found = names_.find(path);
    TELPHER_CHECK_MSG(found != names_.end(), path);
    put_durably(*found->second, at, bytes);
}

void FaultyFileSystem::put_durably(Node& node, std::uint64_t at, Bytes bytes) {
    for (std::vector<std::byte>* image : {&node.cache, &node.disk}) {
        if (image->size() < at + bytes.size()) image->resize(at + bytes.size());
        std::copy(bytes.begin(), bytes.end(), image->begin() + static_cast<std::ptrdiff_t>(at));
    }
}

void FaultyFileSystem::damage(const std::string& path, std::uint64_t at, Bytes bytes) {
    const std::lock_guard lock(mutex_);
    const auto found = names_.find(path);
    TELPHER_CHECK_MSG(found != names_.end(), path);
    Node& node = *found->second;
    const auto from = node.cache.begin() + static_cast<std::ptrdiff_t>(at);
    node.wounds.push_back({at, {from, from + static_cast<std::ptrdiff_t>(bytes.size())}});
    put_durably(node, at, bytes);
}

void FaultyFileSystem::undo_damage() {
    const std::lock_guard lock(mutex_);
    for (const auto* names : {&names_, &durable_names_}) {
        for (const auto& [path, node] : *names) {
            for (; !node->wounds.empty(); node->wounds.pop_back()) {
                put_durably(*node, node->wounds.back().at, node->wounds.back().before);
            }
        }
    }
}

void FaultyFileSystem::lose(const std::string& path) {
    const std::lock_guard lock(mutex_);
    TELPHER_CHECK_MSG(names_.erase(path) == 1, path);
    durable_names_.erase(path);
}

void FaultyFileSystem::copy_to(FaultyFileSystem& other) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [path, node] : names_) {
        auto copy = std::make_shared<Node>();
        copy->cache = node->cache;
        copy->disk = node->cache;
        other.names_[path] = copy;
        other.durable_names_[path] = copy;
    }
}

}  // namespace telpher::test
