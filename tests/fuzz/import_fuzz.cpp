// The input is an export. It makes a log or it does not; what comes of it is exported again, and that makes the same.
#include <sstream>

#include "broker/exporter.h"
#include "broker/importer.h"
#include "proto/base/check.h"
#include "proto/limits.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sim/sim_clock.h"
#include "tests/support/faulty_file_system.h"

namespace telpher::fuzz {
namespace {

constexpr const char* kDir = "log";

Result<broker::ImportSummary> import_of(test::FaultyFileSystem& files, const std::string& text) {
    static const sim::SimClock clock;
    log::LogOptions options;
    options.dir = kDir;
    options.segment_bytes = limits::kMiB;
    options.salt_seed = 1;
    options.clock = &clock;
    std::istringstream in(text);
    return broker::import_log(files, options, in);
}

std::string export_of(test::FaultyFileSystem& files) {
    static const sim::SimClock clock;
    std::ostringstream out;
    TELPHER_CHECK(broker::export_log(files, kDir, {}, clock, out).has_value());
    return out.str();
}

const std::string kHead = R"({"telpher_export":1,"version":"0","boot":3,"wall_ms":5})"
                          "\n";

std::string queue(const std::string& producers = "") {
    return R"({"queue":"q","options":{"maxsize":9,"max_bytes":0,"on_full":"block","durability":"fsync","lease_ms":0,)"
           R"("max_attempts":3,"backoff_ms":1,"backoff_max_ms":2},"owner":"u","generation":1,"sealed":false,)"
           R"("paused":true,"next_id":9,"counters":{"put":4,"acked":0,"nacked":0,"redelivered":0,"dropped":0,)"
           R"("rejected":0,"high_water":4,"lost":0,"died":1},"producers":[)" +
           producers + "]}\n";
}

std::string message(const std::string& id, const std::string& rest) {
    return R"({"id":)" + id + R"(,"of":"q","put_ms":7,"deliveries":1,"attempts":0,)" + rest + "}\n";
}

std::string end(const std::string& messages) { return R"({"end":true,"queues":1,"messages":)" + messages + "}\n"; }

}  // namespace

std::vector<std::string> seeds() {
    const std::string plain = message("1", R"("key":"aw==","headers":[["aA==","dg=="]],"payload":"AAH/")");
    const std::string late = message("2", R"("due_ms":99,"payload":"")");
    const std::string dead =
        message("4", R"("dead":true,"cause":"attempts","dead_ms":8,"reason":"d2h5","payload":"eA==")");
    const std::string unreadable = message("7", R"("record":"/w==")");
    const std::string producer = R"({"name":"cA==","id":7,"stored_below":4,"last_put_ms":1,"user":""})";
    return {kHead + queue() + plain + late + dead + unreadable + end("4"), kHead + queue(producer) + end("0"),
            kHead + queue() + dead + end("1")};
}

}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace telpher;
    test::FaultyFileSystem files;
    const auto done = fuzz::import_of(files, std::string(fuzz::text_of(data, size)));
    if (!done) {
        TELPHER_CHECK(done.error().code() == Code::kCorrupt || done.error().code() == Code::kFormat);
        return 0;
    }
    const std::string text = fuzz::export_of(files);
    test::FaultyFileSystem others;
    TELPHER_CHECK(fuzz::import_of(others, text).has_value());
    TELPHER_CHECK(fuzz::export_of(others) == text);
    return 0;
}
