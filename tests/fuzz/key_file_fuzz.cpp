// The input is a key file. What is read is a pair that belongs together, and is written and read again the same; its
// secret never shows in an error.
#include "proto/security/key_file.h"

#include "proto/base/check.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input_file.h"

namespace telpher::fuzz {

// The pair of the documents of ZeroMQ's CURVE (RFC 26).
constexpr const char* kPublic = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
constexpr const char* kSecret = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

std::vector<std::string> seeds() {
    const security::KeyFile of_broker{{kPublic, kSecret}, {}};
    const security::KeyFile of_client{{kPublic, kSecret}, "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"};
    return {security::format(of_broker, "broker"), security::format(of_client, "client"),
            security::format_public(kPublic, "public"), "[key]\npublic = 1\nsecret = \"\"\n"};
}

}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace telpher;
    static const fuzz::InputFile kFile("own.key");
    kFile.write(fuzz::text_of(data, size));
    const auto key = security::read_key_file(kFile.path());
    const auto half = security::read_public_key(kFile.path());
    TELPHER_CHECK(half || half.error().code() == Code::kConfig);
    if (!key) {
        TELPHER_CHECK(key.error().code() == Code::kConfig);
        TELPHER_CHECK(key.error().message().find(fuzz::kSecret) == std::string::npos);
        return 0;
    }
    TELPHER_CHECK(half == key->pair.public_key);
    kFile.write(security::format(*key, "again"));
    const auto again = security::read_key_file(kFile.path());
    TELPHER_CHECK(again && again->pair.public_key == key->pair.public_key);
    TELPHER_CHECK(again->pair.secret_key == key->pair.secret_key && again->server_public == key->server_public);
    return 0;
}
