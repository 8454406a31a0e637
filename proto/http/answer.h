// What is answered over HTTP: path and parameters in, status and text out. Plain values and functions; any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "telpher/error.h"

namespace telpher::http {

inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";
inline constexpr std::string_view kJsonType = "application/json";

struct Answer {
    int status = 200;
    std::string type;  ///< Content-Type.
    std::string body;
};

/// The parameters of a request that pages know; a missing one is empty.
struct Parameters {
    std::string queue, family;
    bool verbose = false;
};

/// Called by several threads at a time.
using Pages = std::function<Answer(std::string_view path, const Parameters& parameters)>;

/// An error as every page tells one: {"error": {"code", "message", "retryable", "detail"}}.
Answer error_answer(int status, const Error& error);

}  // namespace telpher::http
