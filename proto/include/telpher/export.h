// Marks what the shared library shows to its users.
#pragma once

#if defined(__GNUC__)
#define TELPHER_API __attribute__((visibility("default")))
#else
#define TELPHER_API
#endif
