// A file system in memory that loses what a real one may lose. Each file has an image as programs see it (the page
// cache) and one as the disk has it; sync() copies the sectors that were written. A power cut keeps any subset of the
// 512-byte sectors that were not synced, and any subset of the names that were not; a kill of the process keeps the
// cache. Everything follows from the seeds. Thread-safe; lives longer than the files opened from it.
//
// After a failed sync the sectors it should have written count as clean, as in Linux: a later sync does not write them,
// and programs go on seeing them until the file is opened for writing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "broker/log/file.h"
#include "proto/base/random.h"

namespace telpher::test {

class FaultyFileSystem final : public log::FileSystem {
public:
    enum class Op { kCreate, kOpen, kWrite, kSync, kRead, kAllocate, kTruncate, kRename, kRemove, kSyncDir };
    static constexpr std::size_t kSectorBytes = 512;

    Result<std::unique_ptr<log::File>> create(const std::string& path) override;
    Result<std::unique_ptr<log::File>> open(const std::string& path, bool writable) override;
    Result<std::unique_ptr<log::File>> reuse(const std::string& path) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& path) override;
    [[nodiscard]] Result<std::vector<std::string>> list(const std::string& dir) const override;
    Result<void> make_dir(const std::string& path) override;
    Result<void> sync_dir(const std::string& path) override;
    [[nodiscard]] Result<std::uint64_t> free_bytes(const std::string& dir) const override;

    /// The machine loses power and starts again: files opened before fail from now on.
    void power_cut(std::uint64_t seed);
    /// The process dies: the cache stays, files opened before fail from now on.
    void kill_process();
    /// The `nth` operation of that kind from now on (1 = the next) fails with `code`; those after it work. A failed
    /// write may have written some of its bytes.
    void fail_nth(Op op, std::uint64_t nth, Code code);
    /// The process dies in the `nth` operation of that kind from now on: as kill_process(), in the middle of its work.
    void die_at_nth(Op op, std::uint64_t nth);
    void clear_faults();
    void set_free_bytes(std::uint64_t bytes);
    /// While it is full there is no room for anything new, and none is said to be free.
    void set_full(bool full);
    /// Called before each sync of a file: a slow disk. Others may go on meanwhile, and the process may die in it.
    std::function<void()> before_sync;

    /// Operations of that kind so far.
    [[nodiscard]] std::uint64_t count(Op op) const;
    /// Those that were made to fail.
    [[nodiscard]] std::uint64_t injected() const;
    /// The file's bytes as programs see them; it must exist.
    [[nodiscard]] std::vector<std::byte> contents(const std::string& path) const;
    /// Damages a file, durably. The bytes must lie within it.
    void overwrite(const std::string& path, std::uint64_t at, Bytes bytes);
    /// The same, but undo_damage() takes it back where nothing was written since.
    void damage(const std::string& path, std::uint64_t at, Bytes bytes);
    void undo_damage();
    /// Removes a name, durably.
    void lose(const std::string& path);
    /// A copy of everything as programs see it, durable.
    void copy_to(FaultyFileSystem& other) const;

private:
    struct Wound {
        std::uint64_t at = 0;
        std::vector<std::byte> before;
        [[nodiscard]] std::uint64_t end() const { return at + before.size(); }
    };
    struct Node {
        std::vector<std::byte> cache;
        std::vector<std::byte> disk;
        std::set<std::uint64_t> dirty;  // sectors
        bool size_dirty = false;
        std::vector<Wound> wounds{};
    };
    /// A change of names that the disk may not have yet: `from` empty = created, `to` empty = removed.
    struct NameChange {
        std::string from;
        std::string to;
        std::shared_ptr<Node> node;
    };
    struct Fault {
        std::uint64_t left = 0;
        Code code = Code::kIo;
        bool deadly = false;
    };
    class Handle;

    /// Counts the operation; an error if it is to fail.
    Result<void> enter(Op op);
    [[nodiscard]] Result<void> check_room() const;
    static void forget_clean(Node& node);
    static void put_durably(Node& node, std::uint64_t at, Bytes bytes);
    static void write_through(Node& node, std::uint64_t sector);
    void apply(const NameChange& change);

    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Node>> names_;  // as programs see them
    std::map<std::string, std::shared_ptr<Node>> durable_names_;
    std::vector<NameChange> changes_;  // not synced, in order
    std::uint64_t life_ = 0;           // rises with each cut or kill
    std::uint64_t free_bytes_ = 1ULL << 40;
    bool full_ = false;
    Random torn_writes_{1};
    std::map<Op, Fault> faults_;
    std::map<Op, std::uint64_t> counts_;
    std::uint64_t injected_ = 0;
};

}  // namespace telpher::test
