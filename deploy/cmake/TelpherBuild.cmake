# How everything of ours is compiled. Included once, before any target exists.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
include(CheckPIESupported)
check_pie_supported()

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
# Lines of backtraces and profiles, without variables: a third off every build. For a debugger: -DTELPHER_DEBUG_INFO=-g
set(TELPHER_DEBUG_INFO "-g1" CACHE STRING "Debug information of the presets dev, asan-ubsan and tsan")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 ${TELPHER_DEBUG_INFO}")
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG")

set(TELPHER_SANITIZE "" CACHE STRING "Sanitizers, comma separated: address,undefined or thread")
option(TELPHER_PCH "Use precompiled headers" ON)
option(TELPHER_WERROR "Treat warnings as errors" ON)
option(TELPHER_FUZZ "Make the programs of tests/fuzz with libFuzzer (clang)" OFF)

# Warnings of code that we wrote; protobuf's output is compiled without.
set(TELPHER_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual
    -Wimplicit-fallthrough -Wformat=2 -Wcast-align -Wextra-semi -Wundef)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND TELPHER_WARNINGS -Wduplicated-cond -Wlogical-op
        # GCC 12 reports std::string's own copies as overlapping (GCC PR 105651).
        -Wno-restrict)
endif()
if(TELPHER_WERROR)
    list(APPEND TELPHER_WARNINGS -Werror)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # Guesses of the optimiser, not of the language: they vary with inlining and sanitizers, so they only warn.
        list(APPEND TELPHER_WARNINGS -Wno-error=maybe-uninitialized -Wno-error=array-bounds
            -Wno-error=stringop-overflow -Wno-error=stringop-overread)
    endif()
endif()

# Neither binaries nor log lines carry the path of the build machine, and ccache hits from any clone.
add_compile_options("-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=")

if(CMAKE_BUILD_TYPE STREQUAL "Release")
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection)
    if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
        add_compile_options(-fcf-protection)
    endif()
    add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
else()
    add_compile_definitions(_GLIBCXX_ASSERTIONS)
endif()
add_link_options(-Wl,--as-needed)

if(TELPHER_SANITIZE)
    add_compile_options("-fsanitize=${TELPHER_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options("-fsanitize=${TELPHER_SANITIZE}")
    if(TELPHER_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # The fences in moodycamel's queues, which GCC's ThreadSanitizer does not see: tests/support/tsan.supp.
        add_compile_options(-Wno-tsan)
    endif()
endif()

# Options of the sources that no run of tests spends its time in: the compiler is most of what they cost with sanitizers.
set(TELPHER_COLD_OPTIONS "")
if(TELPHER_SANITIZE AND CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # The precompiled headers are of another level, which clang asks about, and GCC would not take at all.
    set(TELPHER_COLD_OPTIONS -O0 -Xclang -fno-validate-pch)
endif()

if(TELPHER_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
    add_link_options(-fsanitize=fuzzer-no-link)
endif()

find_program(TELPHER_CCACHE ccache)
if(TELPHER_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # The sloppiness and -fpch-preprocess are what ccache's manual asks for with precompiled headers.
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros
        "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" "${TELPHER_CCACHE}")
    if(TELPHER_PCH AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
    endif()
endif()
