#include "tests/e2e/corruption.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "broker/log/record.h"
#include "broker/log/segment.h"
#include "tests/sim/sim_peer.h"

namespace telpher::test {
namespace {

using sim::Frame;
constexpr std::size_t kSector = 512;
constexpr std::array<const char*, kHarms> kHarmNames{"flip a bit", "zero a sector",       "swap sectors", "truncate",
                                                     "delete",     "restore an old copy", "append"};

/// Where the last byte that is not zero ends.
std::size_t used(const FileBytes& bytes) {
    const auto last = std::find_if(bytes.rbegin(), bytes.rend(), [](std::byte byte) { return byte != std::byte{0}; });
    return static_cast<std::size_t>(bytes.rend() - last);
}

/// A file, each kind of file as often as the others.
std::string draw_file(Random& random, const Folder& folder) {
    std::map<std::string, std::vector<std::string>> kinds;
    std::string open;
    for (const auto& [name, bytes] : folder) {
        const std::string kind = name.substr(name.find_last_of('.') + 1);
        if (kind == "seg") open = name;
        kinds[kind].push_back(name);
    }
    if (!open.empty()) kinds["open"].push_back(open);
    auto kind = kinds.begin();
    std::advance(kind, static_cast<std::ptrdiff_t>(random.below(kinds.size())));
    return kind->second[random.below(kind->second.size())];
}

/// Mostly where something is written.
std::size_t draw_place(Random& random, const FileBytes& bytes) {
    const std::size_t filled = used(bytes);
    if (filled > 0 && random.below(10) > 0) return random.below(filled);
    return random.below(bytes.size());
}

std::string flip(Random& random, FileBytes& bytes) {
    const std::size_t at = draw_place(random, bytes);
    const auto bit = random.below(8);
    bytes[at] ^= std::byte{1} << bit;
    return fmt::format("byte {} bit {}", at, bit);
}

std::string zero_sector(Random& random, FileBytes& bytes) {
    const std::size_t at = draw_place(random, bytes) / kSector * kSector;
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), std::min(kSector, bytes.size() - at), std::byte{0});
    return fmt::format("byte {}", at);
}

std::string swap_sectors(Random& random, FileBytes& bytes) {
    const std::size_t one = draw_place(random, bytes) / kSector * kSector;
    const std::size_t other = draw_place(random, bytes) / kSector * kSector;
    if (std::max(one, other) + kSector <= bytes.size() && one != other) {
        const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(one);
        std::swap_ranges(begin, begin + kSector, bytes.begin() + static_cast<std::ptrdiff_t>(other));
    }
    return fmt::format("bytes {} and {}", one, other);
}

std::string append(Random& random, FileBytes& bytes) {
    const std::size_t more = 1 + random.below(3 * kSector);
    // Garbage, or something that was a record once.
    const bool known = random.below(2) == 0 && bytes.size() > more;
    for (std::size_t i = 0; i < more; ++i) bytes.push_back(known ? bytes[i] : static_cast<std::byte>(random.next()));
    return fmt::format("{} bytes", more);
}

std::string restore_old(Random& random, const Reference& reference, const std::string& file, Folder& folder) {
    const std::size_t which = random.below(reference.older.size());
    const Folder& older = reference.older[which];
    if (const auto found = older.find(file); found != older.end()) {
        folder[file] = found->second;
        return fmt::format("of moment {}", which);
    }
    // It was not there then: another file of its kind comes back, which is not there any more.
    const std::string kind = file.substr(file.find_last_of('.') + 1);
    for (const auto& [name, bytes] : older) {
        if (folder.contains(name) || name.substr(name.find_last_of('.') + 1) != kind) continue;
        const bool renamed = random.below(2) == 0;
        folder[renamed ? file : name] = bytes;
        return fmt::format("{} of moment {}{}", name, which, renamed ? ", as this" : "");
    }
    return "none";
}

std::string damage(Random& random, const Reference& reference, const Corruption& corruption, Folder& folder) {
    FileBytes& bytes = folder.at(corruption.file);
    switch (corruption.harm) {
        case Harm::kFlipBit:
            return flip(random, bytes);
        case Harm::kZeroSector:
            return zero_sector(random, bytes);
        case Harm::kSwapSectors:
            return swap_sectors(random, bytes);
        case Harm::kTruncate:
            bytes.resize(draw_place(random, bytes));
            return fmt::format("to {}", bytes.size());
        case Harm::kDelete:
            folder.erase(corruption.file);
            return "";
        case Harm::kRestoreOld:
            return restore_old(random, reference, corruption.file, folder);
        case Harm::kAppend:
            return append(random, bytes);
    }
    return "";
}

/// A reader of everything in the queue.
class Reading {
public:
    Reading(const Reference& reference, const Folder& folder) : broker_(1, settings(), log_of(reference)) {
        for (const auto& [name, bytes] : folder) {
            const auto file = broker_.files().create(log_of(reference).dir + "/" + name);
            const Bytes part(bytes);
            if (!bytes.empty()) (void)(*file)->write_at(0, {&part, 1});
            (void)(*file)->sync();
        }
        (void)broker_.files().sync_dir(log_of(reference).dir);
        broker_.transport().on_send([this](sim::PeerId, const Frame& frame) { note(frame); });
    }

    Served run() {
        const auto started = broker_.start();
        served_.started = started.has_value();
        if (!started) {
            served_.refused = started.error().message();
            return served_;
        }
        served_.torn_bytes = broker_.shard().recovery().torn_bytes;
        served_.torn = broker_.shard().recovery().torn;
        try {
            read();
        } catch (const std::runtime_error& error) {
            if (!broker_.shard().failed()) served_.wrong.emplace_back(error.what());
        }
        if (const auto error = broker_.shard().failed()) {
            served_.failed = true;
            served_.refused = error->message();
        }
        return served_;
    }

private:
    static broker::ShardSettings settings() {
        broker::ShardSettings settings = sim::small_settings();
        settings.disk_reserve_bytes = 0;
        return settings;
    }
    static log::LogOptions log_of(const Reference& reference) {
        log::LogOptions options = sim::small_log();
        options.segment_bytes = reference.segment_bytes;
        return options;
    }

    void read() {
        sim::SimPeer peer(broker_);
        peer.hello();
        const auto handle = peer.open(kQueue, sim::bounded(1'000'000));
        look(peer, 3);
        look(peer, 4);
        peer.attach(handle, 60'000);
        for (int step = 0; step < 6; ++step) {  // what may be in hands is held for 2 s
            broker_.settle();
            broker_.advance(std::chrono::milliseconds(500));
        }
        broker_.settle();
    }

    void look(sim::SimPeer& peer, std::uint32_t state) {
        for (std::uint64_t from = 0;;) {
            v1::Peek peek;
            peek.set_req(peer.request());
            peek.set_name(kQueue);
            peek.set_from(from);
            peek.set_max(1000);
            peek.set_state(state);
            peer.send(v1::OP_PEEK, peek);
            from = peer.await<v1::Peeked>(v1::OP_PEEKED).next();
            if (from == 0) return;
        }
    }

    void note(const Frame& frame) {
        if (frame.op == v1::OP_DELIVER) {
            const auto deliver = frame.as<v1::Deliver>();
            at_ = {0, 0};
            take(frame, deliver.first_offset(), deliver.count());
        } else if (frame.op == v1::OP_PEEKED) {
            at_ = {0, 0};
            const auto peeked = frame.as<v1::Peeked>();
            for (const auto& run : peeked.runs()) take(frame, run.first_offset(), run.count());
        }
    }

    void take(const Frame& frame, std::uint64_t first, std::uint32_t count) {
        for (std::uint32_t i = 0; i < count; ++i) {
            const auto bytes = load_le<std::uint32_t>(frame.bodies.at(0).data() + at_.first);
            const auto record = batch::decode_record(frame.bodies.at(1).bytes().subspan(at_.second, bytes));
            at_.first += sizeof bytes;
            at_.second += bytes;
            const std::string payload = record ? std::string(as_text(record->payload)) : "no record";
            const auto [known, fresh] = served_.messages.emplace(first + i, payload);
            if (!fresh && known->second != payload) served_.wrong.push_back(fmt::format("message {} twice", first + i));
        }
    }

    sim::SimBroker broker_;
    Served served_;
    std::pair<std::size_t, std::size_t> at_;  // in the lengths and the records of a frame
};

}  // namespace

std::optional<Corruption> corrupt(Random& random, const Reference& reference, Folder& folder) {
    Corruption corruption;
    corruption.harm = static_cast<Harm>(random.below(kHarms));
    corruption.file = draw_file(random, folder);
    if (folder.at(corruption.file).empty()) return std::nullopt;
    const std::string how = damage(random, reference, corruption, folder);
    corruption.what = fmt::format("{}: {} {}: {}", reference.name,
                                  kHarmNames[static_cast<std::size_t>(corruption.harm)], corruption.file, how);
    return folder == reference.files ? std::nullopt : std::optional(corruption);
}

std::vector<std::pair<std::size_t, std::size_t>> recorded(const FileBytes& segment) {
    std::vector<std::pair<std::size_t, std::size_t>> ranges;
    const Bytes bytes(segment);
    const auto header = log::decode_segment_header(bytes);
    for (std::size_t at = log::kSegmentHeaderBytes; header && at < bytes.size();) {
        const auto record = log::decode_record_header(bytes.subspan(at));
        if (!record || record->salt != header->salt) break;
        ranges.emplace_back(at, at + log::kRecordHeaderBytes + record->meta_bytes + record->body_bytes);
        at += log::record_bytes(*record);
    }
    return ranges;
}

Served serve(const Reference& reference, const Folder& folder) { return Reading(reference, folder).run(); }

Judgement judge(const Reference& reference, const Served& served) {
    Judgement judgement;
    const Promised& promised = reference.promised;
    judgement.served_wrong = served.wrong;
    for (const auto& [id, payload] : served.messages) {
        if (id >= promised.put || payload != payload_of(id)) {
            judgement.served_wrong.push_back(fmt::format("message {} is another", id));
        } else if (promised.settled.contains(id)) {
            judgement.served_wrong.push_back(fmt::format("message {} was settled", id));
        } else if (reference.clean && !promised.stored.contains(id)) {
            judgement.served_wrong.push_back(fmt::format("message {} was never confirmed", id));
        }
    }
    if (served.reported()) return judgement;
    for (const std::uint64_t id : promised.live()) {
        if (!served.messages.contains(id)) judgement.undetected.push_back(fmt::format("message {} is missing", id));
    }
    return judgement;
}

}  // namespace telpher::test
