// Whether a sanitizer watches this program: it is several times slower then, and takes more memory.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)  // GCC
#define TELPHER_SANITIZED 1
#elif defined(__has_feature)  // clang
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TELPHER_SANITIZED 1
#endif
#endif
