// Where a producer with a name takes its records from: numbered from 0 in an order that is the same after a crash, so
// that it can go on with whichever one the broker says is the first it has not stored. Owned and used by one thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "telpher/error.h"
#include "telpher/options.h"

namespace telpher {

class RecordSource {
public:
    RecordSource() = default;
    RecordSource(const RecordSource&) = delete;
    RecordSource& operator=(const RecordSource&) = delete;
    virtual ~RecordSource() = default;

    /// Makes record `number` the next one. Any error is for good.
    virtual Result<void> seek(std::uint64_t number) = 0;
    /// The next record, valid until the next call; may add headers to `put`. kEmpty: it is not there yet.
    /// kEnd: there is no other. Any other error is for good.
    virtual Result<std::string_view> next(PutOptions& put) = 0;
    /// The record of the last next() can never be put, for this reason. True: it counts as never given out, and the
    /// next one takes its number. False (the default): the source must end, or what is stored would not be what it
    /// holds.
    virtual bool leave_out(const Error& why) {
        static_cast<void>(why);
        return false;
    }
    /// Every record below `number` is stored. Called often; costs little.
    virtual Result<void> stored_below(std::uint64_t number) = 0;
    /// Writes down what it must know after a restart.
    virtual Result<void> save() { return {}; }
    /// Records given out that cannot be had again once this object is gone.
    [[nodiscard]] virtual std::uint64_t at_risk() const { return 0; }
    /// After kEmpty: waits until there may be a record, `stop_fd` is readable, or `at_most` is over.
    virtual void wait(int stop_fd, Millis at_most) = 0;
    /// Records that may be on their way at a time; more are not asked for.
    [[nodiscard]] virtual std::uint64_t window() const { return UINT64_MAX; }
};

}  // namespace telpher
