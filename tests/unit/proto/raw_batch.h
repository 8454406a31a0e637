// Batches as raw bytes, to be bent by hand: the tests' own idea of the layout, independent of the codec's. Values.
#pragma once

#include <xxhash.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/bytes.h"
#include "proto/base/slice.h"
#include "proto/batch.h"

namespace telpher::test {

using Raw = std::vector<std::byte>;
using Headers = std::vector<std::pair<std::string, std::string>>;

/// Overwrites the number at `at`.
template <class T>
void poke(Raw& raw, std::size_t at, T value) {
    store_le(raw.data() + at, value);
}

template <class T>
T peek(const Raw& raw, std::size_t at) {
    return load_le<T>(raw.data() + at);
}

/// Makes the checksum right again: one-shot XXH3 over everything but bytes [48, 56).
inline void reseal(Raw& raw) {
    Raw hashed(raw.begin(), raw.begin() + 48);
    hashed.insert(hashed.end(), raw.begin() + 56, raw.end());
    poke<std::uint64_t>(raw, 48, XXH3_64bits(hashed.data(), hashed.size()));
}

/// A batch of records that hold only a payload.
inline Raw raw_batch(const std::vector<std::string>& payloads, std::uint64_t first = 0) {
    batch::Builder builder;
    for (const std::string& payload : payloads) builder.append({as_bytes(payload), {}, nullptr}, SIZE_MAX);
    const Slice sealed = builder.seal(ProducerId(7), Sequence(first), WallTime{1'700'000'000'000});
    return {sealed.bytes().begin(), sealed.bytes().end()};
}

/// Gives a batch without an attribute table the given one: presence bits, then the bytes of the columns as they are.
inline Raw with_table(Raw raw, std::uint32_t present, const Raw& columns) {
    Raw table(4);
    poke(table, 0, present);
    table.insert(table.end(), columns.begin(), columns.end());
    raw.insert(raw.begin() + 56 + 4 * peek<std::uint32_t>(raw, 8), table.begin(), table.end());
    poke<std::uint8_t>(raw, 5, 1);
    poke<std::uint32_t>(raw, 12, static_cast<std::uint32_t>(raw.size() - 56));
    poke<std::uint32_t>(raw, 40, static_cast<std::uint32_t>(table.size()));
    reseal(raw);
    return raw;
}

/// `count` bytes that rise from `from`.
inline Raw rising(std::size_t count, unsigned from) {
    Raw bytes;
    for (std::size_t i = 0; i < count; ++i) bytes.push_back(static_cast<std::byte>(from + i));
    return bytes;
}

inline Raw joined(Raw a, const Raw& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

inline Raw to_raw(std::string_view text) { return {as_bytes(text).begin(), as_bytes(text).end()}; }
inline Raw to_raw(const Slice& slice) { return {slice.bytes().begin(), slice.bytes().end()}; }

}  // namespace telpher::test
