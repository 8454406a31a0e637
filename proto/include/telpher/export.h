#pragma once
// TELPHER_API marks what libtelpher offers to its users: everything else in the library stays hidden.

#define TELPHER_API __attribute__((visibility("default")))
