#include "proto/http/answer.h"

#include <nlohmann/json.hpp>

namespace telpher::http {

Answer error_answer(int status, const Error& error) {
    const CodeInfo& row = info(error.code());
    nlohmann::ordered_json inner{{"code", row.name}, {"message", row.text}, {"retryable", row.retryable}};
    if (!error.detail().empty()) inner["detail"] = error.detail();
    constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
    return {status, std::string(kJsonType),
            nlohmann::ordered_json{{"error", inner}}.dump(-1, ' ', false, kReplace) + "\n"};
}

}  // namespace telpher::http
