#include "broker/scrubber.h"

#include <algorithm>

namespace telpher::broker {
namespace {

/// Read and verified at once.
constexpr std::uint64_t kPieceBytes = limits::kMiB;
/// Between two pieces, at least: 2 MiB/s, which a disk that serves does not feel.
constexpr auto kPauseMin = std::chrono::milliseconds(500);

/// What segments that are not appended to any more take, about.
std::uint64_t sealed_bytes(const log::LogSpace& space) {
    return space.segments == 0 ? 0 : space.bytes - space.bytes / space.segments;
}

/// So long after a piece of `bytes` the next one keeps to `interval` for all there is.
Duration pause(Duration interval, std::uint64_t bytes, std::uint64_t all) {
    const double part = static_cast<double>(bytes) / static_cast<double>(std::max<std::uint64_t>(all, 1));
    const Duration even(static_cast<Duration::rep>(static_cast<double>(interval.count()) * std::min(part, 1.0)));
    return std::max<Duration>(even, kPauseMin);
}

}  // namespace

void Scrubber::look() {
    if (core_.settings.scrub_interval == Duration(0) || reading_ || damage_ || core_.draining || !due()) return;
    if (const auto from = next()) read(*from);
}

bool Scrubber::due() const {
    if (read_bytes_ == 0) return true;
    return core_.now >= read_at_ + pause(core_.settings.scrub_interval, read_bytes_, sealed_bytes(core_.log.space()));
}

std::optional<log::Walk> Scrubber::next() {
    if (walk_ && core_.log.sealed(walk_->segment, walk_->segment)) return walk_;
    walk_.reset();
    const auto point = core_.log.point();
    const auto first = core_.log.oldest();
    if (!point || !first) return std::nullopt;
    if (!std::exchange(begun_, true)) {
        segment_ = first->segment + seed_ % (point->next.segment - first->segment);
    }
    auto found = core_.log.sealed(segment_, point->next.segment);
    return found ? found : first;
}

void Scrubber::read(const log::Walk& from) {
    reading_ = true;
    background_.post(Background::Lane::kChores, [this, &reader = core_.log.reader(), from]() -> Background::Finish {
        log::Walk walk = from;
        const auto verified = reader.verify(walk, kPieceBytes);
        return [this, verified, from, walk] { take(verified, from, walk); };
    });
}

void Scrubber::take(const Result<void>& verified, const log::Walk& from, const log::Walk& to) {
    reading_ = false;
    walk_.reset();
    segment_ = from.segment + 1;
    // It may have been dropped while it was read: what stands there then says nothing.
    if (!core_.log.sealed(from.segment, from.segment)) return;
    if (!verified) {
        ++errors_;
        damage_ = verified.error();
        return;
    }
    read_at_ = core_.now;
    read_bytes_ = to.at - from.at;
    bytes_ += read_bytes_;
    if (!to.done()) walk_ = to;
}

}  // namespace telpher::broker
