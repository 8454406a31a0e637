#include "broker/log/scanner.h"

#include <algorithm>

#include "proto/base/mutant.h"

namespace telpher::log {
namespace {

constexpr std::size_t kWindowBytes = limits::kMiB;

}  // namespace

Result<Bytes> SegmentScanner::fetch(std::uint64_t at, std::uint64_t count) {
    count = at < header_.capacity ? std::min(count, header_.capacity - at) : 0;
    if (at < window_at_ || at + count > window_at_ + window_bytes_) {
        const std::uint64_t wanted = std::min(std::max<std::uint64_t>(count, kWindowBytes), header_.capacity - at);
        if (window_.size() < wanted) window_.resize(wanted);
        const auto got = file_.read_at(at, MutableBytes(window_.data(), wanted));
        if (!got) return fail(got.error());
        window_at_ = at;
        window_bytes_ = *got;
    }
    const std::size_t from = at - window_at_;
    return Bytes(window_.data() + from, std::min<std::uint64_t>(count, window_bytes_ - from));
}

Damage SegmentScanner::judge_broken(Bytes bytes) const {
    const bool zeros = std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
    return zeros ? Damage::kTornTail : Damage::kBadHeader;
}

Result<Scanned> SegmentScanner::next(Lsn expected) {
    Scanned found;
    found.at = at_;
    auto bytes = fetch(at_, kRecordHeaderBytes);
    if (!bytes) return fail(bytes.error());
    const auto header = decode_record_header(*bytes);
    if (!header) {
        found.damage = bytes->size() < kRecordHeaderBytes ? Damage::kTornTail : judge_broken(*bytes);
        return found;
    }
    if (header->salt != header_.salt) {
        found.damage = Damage::kTornTail;
        return found;
    }
    if (header->version != kRecordVersion) {
        found.damage = header->version > kRecordVersion ? Damage::kNewerVersion : Damage::kBadHeader;
        return found;
    }
    found.header = *header;
    const std::uint64_t total = record_bytes(*header);
    if (header->lsn != expected || total > header_.capacity - at_) {
        found.damage = header->lsn != expected ? Damage::kLsnGap : Damage::kBadHeader;
        return found;
    }
    bytes = fetch(at_, total);
    if (!bytes) return fail(bytes.error());
    if (bytes->size() == total) {
        found.meta = bytes->subspan(kRecordHeaderBytes, header->meta_bytes);
        found.body = bytes->subspan(kRecordHeaderBytes + header->meta_bytes, header->body_bytes);
    }
    const bool sound = bytes->size() == total && payload_checksum(found.meta, found.body) == header->payload_checksum;
    if (!sound && !TELPHER_MUTANT("payload-checksum-not-checked")) {
        found.damage = Damage::kBadBody;
        return found;
    }
    proven_ = std::max(proven_, header->durable_upto);
    at_ += total;
    return found;
}

Result<Remains> SegmentScanner::remains(Lsn missed) {
    Remains result;
    result.end = at_;
    for (std::uint64_t at = at_; at + kRecordHeaderBytes <= header_.capacity; at += kRecordAlign) {
        const auto bytes = fetch(at, kRecordHeaderBytes);
        if (!bytes) return fail(bytes.error());
        if (bytes->size() < kRecordHeaderBytes) break;
        const HeaderTrace trace = trace_header(bytes->data());
        if (trace.salt != header_.salt) continue;
        const auto header = decode_record_header(*bytes);
        if (!header) {
            // It vouches for nothing; but a record was written here, and whoever cuts it must say so.
            const bool fits = trace.record_bytes <= header_.capacity - at;
            result.end = std::max(result.end, at + (fits ? trace.record_bytes : kRecordHeaderBytes));
            continue;
        }
        if (header->version != kRecordVersion) continue;
        result.end = std::max(result.end, std::min(at + record_bytes(*header), header_.capacity));
        result.durable_upto = std::max(result.durable_upto, header->durable_upto);
        if (!result.next && header->lsn > missed) result.next = Remains::Next{at, header->lsn};
    }
    return result;
}

}  // namespace telpher::log
