// A handler out of a shared library (telpher/handler.h). Any number of threads may use it; it is never unloaded.
#pragma once

#include <string>

#include "consumer/outcome.h"
#include "telpher/error.h"
#include "telpher/handler.h"

namespace telpher {

class SoHandler {
public:
    /// kConfig: it cannot be loaded, shows no handler, or one of another ABI.
    Result<void> load(const std::string& path);
    /// Calls the handler; after load().
    [[nodiscard]] Outcome run(std::string_view queue, const Message& message) const;

private:
    const telpher_handler_entry* entry_ = nullptr;
};

}  // namespace telpher
