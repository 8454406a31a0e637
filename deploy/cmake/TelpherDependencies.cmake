# Every outside library. deploy/install-deps lists the Debian packages they come from.

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Protobuf REQUIRED)
find_package(cppzmq CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(fmt CONFIG REQUIRED)
find_package(tl-expected CONFIG REQUIRED)
find_package(roaring CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED) # its B-tree only
find_package(CLI11 CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(tomlplusplus CONFIG REQUIRED)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
pkg_check_modules(TOMLPLUSPLUS REQUIRED IMPORTED_TARGET tomlplusplus)
pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib) # its flags decide the layout of its classes

# Header-only; used as <concurrentqueue/concurrentqueue.h> and <readerwriterqueue/readerwriterqueue.h>.
find_path(TELPHER_CONCURRENTQUEUE_DIR concurrentqueue/concurrentqueue.h REQUIRED)
find_path(TELPHER_READERWRITERQUEUE_DIR readerwriterqueue/readerwriterqueue.h REQUIRED)

if(BUILD_TESTING)
    find_package(GTest CONFIG REQUIRED)
    find_package(rapidcheck CONFIG REQUIRED)
    find_package(benchmark CONFIG REQUIRED)
    find_package(Python3 COMPONENTS Interpreter REQUIRED)
    pkg_check_modules(PROMETHEUS REQUIRED IMPORTED_TARGET prometheus-cpp-core) # the reference of our exposition
endif()
