#include "tests/e2e/corruption.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "broker/log/record.h"
#include "broker/log/segment.h"

namespace telpher::test {
namespace {

constexpr std::size_t kSector = 512;
constexpr std::array<const char*, kHarms> kHarmNames{"flip a bit",
                                                     "zero a sector",
                                                     "zero the first sector",
                                                     "swap sectors",
                                                     "swap sectors of a record",
                                                     "misplace a record",
                                                     "truncate",
                                                     "delete",
                                                     "restore an old copy",
                                                     "rename",
                                                     "mix up with another file",
                                                     "take another log's",
                                                     "append"};

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
        const std::string kind = kind_of(name);
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

std::string zero_sector(FileBytes& bytes, std::size_t place) {
    const std::size_t at = place / kSector * kSector;
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), std::min(kSector, bytes.size() - at), std::byte{0});
    return fmt::format("byte {}", at);
}

std::string swap_sectors(FileBytes& bytes, std::size_t place, std::size_t other_place) {
    const std::size_t one = place / kSector * kSector;
    const std::size_t other = other_place / kSector * kSector;
    if (std::max(one, other) + kSector <= bytes.size() && one != other) {
        const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(one);
        std::swap_ranges(begin, begin + kSector, bytes.begin() + static_cast<std::ptrdiff_t>(other));
    }
    return fmt::format("bytes {} and {}", one, other);
}

std::string swap_in_record(Random& random, FileBytes& bytes) {
    const auto records = records_in(bytes);
    if (records.empty()) return "none";
    const auto [from, to] = records[random.below(records.size())];
    return swap_sectors(bytes, from + random.below(to - from), from + random.below(to - from));
}

std::string misplace_record(Random& random, FileBytes& bytes) {
    const auto records = records_in(bytes);
    if (records.empty()) return "none";
    const auto [from, to] = records[random.below(records.size())];
    const std::size_t at = records[random.below(records.size())].first;
    const FileBytes record(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                           bytes.begin() + static_cast<std::ptrdiff_t>(to));
    if (at + record.size() <= bytes.size()) {
        std::copy(record.begin(), record.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    }
    return fmt::format("bytes {} to {} at {}", from, to, at);
}

/// The name with its last digit before the dot one higher; not for names without a number.
std::string next_name(const std::string& file) {
    const std::size_t dot = file.find_last_of('.');
    constexpr std::string_view kDigits = "0123456789abcdef";
    const std::size_t digit = dot == std::string::npos || dot == 0 ? dot : kDigits.find(file[dot - 1]);
    if (digit >= kDigits.size() - 1) return file;
    std::string next = file;
    next[dot - 1] = kDigits[digit + 1];
    return next;
}

std::string draw_other(Random& random, const Folder& folder, const std::string& file, bool same_kind) {
    std::vector<std::string> others;
    for (const auto& [name, bytes] : folder) {
        if (name != file && (!same_kind || kind_of(name) == kind_of(file))) others.push_back(name);
    }
    return others.empty() ? file : others[random.below(others.size())];
}

std::string rename(Random& random, const std::string& file, Folder& folder) {
    const std::string to = random.below(3) == 0 ? next_name(file) : draw_other(random, folder, file, true);
    if (to == file) return "none";
    folder[to] = std::move(folder.at(file));
    folder.erase(file);
    return to;
}

std::string mix_up(Random& random, const std::string& file, Folder& folder) {
    const std::string from = draw_other(random, folder, file, random.below(2) == 0);
    folder[file] = folder.at(from);
    return from;
}

std::string take_foreign(Random& random, const Reference& reference, const std::string& file, Folder& folder) {
    std::vector<std::string> fitting;
    for (const auto& [name, bytes] : reference.foreign) {
        if (kind_of(name) == kind_of(file)) fitting.push_back(name);
    }
    if (fitting.empty()) return "none";
    const bool same = reference.foreign.contains(file) && random.below(2) == 0;
    const std::string from = same ? file : fitting[random.below(fitting.size())];
    folder[file] = reference.foreign.at(from);
    return from;
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
    for (const auto& [name, bytes] : older) {
        if (folder.contains(name) || kind_of(name) != kind_of(file)) continue;
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
            return zero_sector(bytes, draw_place(random, bytes));
        case Harm::kZeroHeader:
            return zero_sector(bytes, 0);
        case Harm::kSwapSectors: {
            const std::size_t one = draw_place(random, bytes);
            return swap_sectors(bytes, one, draw_place(random, bytes));
        }
        case Harm::kSwapInRecord:
            return swap_in_record(random, bytes);
        case Harm::kMisplaceRecord:
            return misplace_record(random, bytes);
        case Harm::kTruncate:
            bytes.resize(draw_place(random, bytes));
            return fmt::format("to {}", bytes.size());
        case Harm::kDelete:
            folder.erase(corruption.file);
            return "";
        case Harm::kRestoreOld:
            return restore_old(random, reference, corruption.file, folder);
        case Harm::kRename:
            return rename(random, corruption.file, folder);
        case Harm::kMixUp:
            return mix_up(random, corruption.file, folder);
        case Harm::kForeign:
            return take_foreign(random, reference, corruption.file, folder);
        case Harm::kAppend:
            return append(random, bytes);
    }
    return "";
}

}  // namespace

std::string kind_of(const std::string& file) {
    if (file.find("quarantine/") != std::string::npos) return "quarantine";
    return file.substr(file.find_last_of("./") + 1);
}

std::vector<std::pair<std::size_t, std::size_t>> records_in(const FileBytes& file) {
    std::vector<std::pair<std::size_t, std::size_t>> records;
    const Bytes bytes(file);
    std::uint64_t salt = 0;
    for (std::size_t at = log::kSegmentHeaderBytes; at < bytes.size();) {
        const auto record = log::decode_record_header(bytes.subspan(at));
        if (record && records.empty()) salt = record->salt;
        if (!record || record->salt != salt || at + log::record_bytes(*record) > bytes.size()) break;
        records.emplace_back(at, at + log::kRecordHeaderBytes + record->meta_bytes + record->body_bytes);
        at += log::record_bytes(*record);
    }
    return records;
}

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

}  // namespace telpher::test
