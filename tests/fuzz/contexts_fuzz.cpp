// The input is a person's contexts.toml. What is read is saved and read again the same.
#include "proto/command/contexts.h"

#include "proto/base/check.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input_file.h"

namespace telpher::fuzz {

std::vector<std::string> seeds() {
    return {"current = \"prod\"\n[context.prod]\nserver = \"tcp://broker:4700\"\nkey_file = \"/home/u/prod.key\"\n",
            "[context.\"a b\"]\nserver = \"ipc:///run/t\"\n[context.c]\nserver = \"x\"\n",
            "context = { x = { server = \"y\", other = 1 } }\n", "current = 1\n", "[context]\nx = 2\n"};
}

}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace telpher;
    static const fuzz::InputFile kFile("contexts.toml");
    kFile.write(fuzz::text_of(data, size));
    const auto contexts = command::load_contexts(kFile.path());
    if (!contexts) {
        TELPHER_CHECK(contexts.error().code() == Code::kConfig);
        return 0;
    }
    for (const auto& [name, context] : contexts->all) {
        TELPHER_CHECK(!context.server.empty() && contexts->find(name) == context);
    }
    TELPHER_CHECK(command::save_contexts(kFile.path(), *contexts).has_value());
    TELPHER_CHECK(command::load_contexts(kFile.path()) == *contexts);
    return 0;
}
