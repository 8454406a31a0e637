// The input is a user's file of the broker. What is read has legal patterns and keys, and is written and read again the
// same.
#include "proto/security/user_file.h"

#include <algorithm>

#include "proto/base/check.h"
#include "proto/security/key_file.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input_file.h"

namespace telpher::fuzz {

std::vector<std::string> seeds() {
    const std::string key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
    return {"public_keys = [\"" + key + "\"]\nput = [\"jobs\", \"jobs.*\"]\nget = []\nadmin = [\"?\"]\n",
            "public_keys = [\"" + key + "\", \"" + key + "\"]\n", "public_keys = []\nput = [\"\"]\nother = 1\n",
            "public_keys = [\"" + key + "\"]\n[quota]\nqueues = 3\nmessages = 10\nbytes = \"2GiB\"\n",
            "public_keys = \"" + key + "\"\nget = [1]\n"};
}

}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace telpher;
    static const fuzz::InputFile kFile("worker-1.toml");
    kFile.write(fuzz::text_of(data, size));
    const auto user = security::read_user_file(kFile.path());
    if (!user) {
        TELPHER_CHECK(user.error().code() == Code::kConfig);
        return 0;
    }
    TELPHER_CHECK(user->name == "worker-1" && !user->public_keys.empty());
    TELPHER_CHECK(
        std::ranges::all_of(user->public_keys, [](const auto& key) { return security::decode_key(key).has_value(); }));
    for (const auto* patterns : {&user->rules.put, &user->rules.get, &user->rules.admin}) {
        TELPHER_CHECK(std::ranges::all_of(*patterns, security::legal_pattern));
    }
    kFile.write(security::format(*user));
    TELPHER_CHECK(security::read_user_file(kFile.path()) == *user);
    return 0;
}
