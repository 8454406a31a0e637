# The few ways a target of ours is made. A target without sources yet is skipped, or is an empty interface library, so
# that the tree configures at every step.

set(TELPHER_GENERATED_DIR "${PROJECT_BINARY_DIR}/generated")
set(TELPHER_PCH_DIR "${PROJECT_BINARY_DIR}/pch")

# One precompiled header per way of compiling: gcc accepts it only where code model and options are the same.
#   pch_lib  -fPIC, for libraries     pch_exe  -fPIE, for programs     pch_test  -fPIE with gtest
function(telpher_pch name kind)
    if(NOT TELPHER_PCH)
        return()
    endif()
    file(CONFIGURE OUTPUT "${TELPHER_PCH_DIR}/${name}.cpp" CONTENT "int main() {}\n")
    if(kind STREQUAL "lib")
        add_library(${name} STATIC EXCLUDE_FROM_ALL "${TELPHER_PCH_DIR}/${name}.cpp")
    else()
        add_executable(${name} EXCLUDE_FROM_ALL "${TELPHER_PCH_DIR}/${name}.cpp")
    endif()
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${TELPHER_PCH_DIR}"
        ARCHIVE_OUTPUT_DIRECTORY "${TELPHER_PCH_DIR}")
    target_compile_options(${name} PRIVATE ${TELPHER_WARNINGS})
    target_precompile_headers(${name} PRIVATE ${ARGN})
    target_link_libraries(${name} PRIVATE Threads::Threads)
    if(kind STREQUAL "test")
        target_link_libraries(${name} PRIVATE GTest::gmock rapidcheck_gtest)
    endif()
endfunction()

set(_std_headers <algorithm> <array> <atomic> <bit> <chrono> <condition_variable> <cstdint> <cstring> <deque>
    <filesystem> <fstream> <functional> <iostream> <map> <memory> <mutex> <optional> <random> <set> <span> <sstream>
    <stop_token> <string> <string_view> <thread> <tuple> <unordered_map> <utility> <variant> <vector>)
telpher_pch(pch_lib lib ${_std_headers} <tl/expected.hpp>)
telpher_pch(pch_exe exe ${_std_headers} <tl/expected.hpp>)
if(BUILD_TESTING)
    telpher_pch(pch_test test ${_std_headers} <tl/expected.hpp> <gmock/gmock.h> <gtest/gtest.h>)
endif()

# Options that all our targets share.
function(_telpher_setup target pch)
    target_compile_options(${target} PRIVATE ${TELPHER_WARNINGS})
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}")
    target_include_directories(${target} SYSTEM PRIVATE "${TELPHER_GENERATED_DIR}")
    if(TELPHER_PCH)
        target_precompile_headers(${target} REUSE_FROM ${pch})
    endif()
endfunction()

# telpher_library(NAME telpher_x SOURCES a.cpp b.cpp LIBS dep...)
# A static, position independent library; LIBS are public, as users see them through our headers. Public headers of
# the product lie in include/telpher/ of the library's folder.
function(telpher_library)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES;LIBS")
    if(NOT arg_SOURCES)
        set(scope INTERFACE)
        add_library(${arg_NAME} INTERFACE)
    else()
        set(scope PUBLIC)
        add_library(${arg_NAME} STATIC ${arg_SOURCES})
        _telpher_setup(${arg_NAME} pch_lib)
    endif()
    target_link_libraries(${arg_NAME} ${scope} ${arg_LIBS})
    if(IS_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/include")
        target_include_directories(${arg_NAME} ${scope} "${CMAKE_CURRENT_SOURCE_DIR}/include")
    endif()
endfunction()

# Every generated header, for tools that read sources without building them.
add_custom_target(telpher_generated)

# telpher_protobuf(sources x.proto) sets `sources` to what protoc writes for the lite runtime, to be listed among a
# library's SOURCES; the header is "folder/x.pb.h". Empty while the file is not there.
function(telpher_protobuf out file)
    set(${out} "" PARENT_SCOPE)
    if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
        return()
    endif()
    file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
    string(REGEX REPLACE "\\.proto$" ".pb" base "${TELPHER_GENERATED_DIR}/${folder}/${file}")
    file(MAKE_DIRECTORY "${TELPHER_GENERATED_DIR}")
    add_custom_command(OUTPUT "${base}.cc" "${base}.h"
        COMMAND protobuf::protoc "--proto_path=${PROJECT_SOURCE_DIR}" "--cpp_out=lite:${TELPHER_GENERATED_DIR}"
            "${CMAKE_CURRENT_SOURCE_DIR}/${file}"
        DEPENDS "${file}" protobuf::protoc VERBATIM)
    set_source_files_properties("${base}.cc" PROPERTIES COMPILE_OPTIONS "-w;${TELPHER_COLD_OPTIONS}" SKIP_PRECOMPILE_HEADERS ON)
    string(MAKE_C_IDENTIFIER "telpher_generated_${folder}_${file}" target)
    add_custom_target(${target} DEPENDS "${base}.h")
    add_dependencies(telpher_generated ${target})
    set(${out} "${base}.cc" "${base}.h" PARENT_SCOPE)
endfunction()

# telpher_executable(NAME telpherd SOURCES main.cpp LIBS telpher_broker PACKAGE broker | NO_INSTALL)
# PACKAGE: the installation component it belongs to (TelpherPackages.cmake).
function(telpher_executable)
    cmake_parse_arguments(PARSE_ARGV 0 arg "NO_INSTALL" "NAME;PACKAGE" "SOURCES;LIBS")
    if(NOT arg_SOURCES)
        return()
    endif()
    add_executable(${arg_NAME} ${arg_SOURCES})
    _telpher_setup(${arg_NAME} pch_exe)
    target_link_libraries(${arg_NAME} PRIVATE ${arg_LIBS})
    if(NOT arg_NO_INSTALL)
        install(TARGETS ${arg_NAME} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT ${arg_PACKAGE})
    endif()
endfunction()

# telpher_test(NAME unit_x LABEL unit SOURCES a_test.cpp LIBS telpher_x [TIMEOUT s] [DEPENDS target...]
#              [EACH] [LONG] [THREADS] [PROCESSORS n])
# One GoogleTest program. It is one CTest entry, or with EACH one per test case, for suites whose cases are slow or
# start processes. DEPENDS names programs of ours that it starts; they are found in TELPHER_BIN_DIR.
# LONG: it takes a large part of a minute or more; its label is LABEL-long, and tests/run leaves it out without --long.
# THREADS (not with EACH): it hands work between threads, so it has the label threads too, for ThreadSanitizer.
# tests_LABEL builds the tests of one label.
function(telpher_label name label)
    if(NOT TARGET tests_${label})
        add_custom_target(tests_${label})
    endif()
    add_dependencies(tests_${label} ${name})
endfunction()

function(telpher_test)
    cmake_parse_arguments(PARSE_ARGV 0 arg "EACH;LONG;THREADS" "NAME;LABEL;TIMEOUT;PROCESSORS" "SOURCES;LIBS;DEPENDS")
    if(NOT arg_SOURCES)
        return()
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 120)
    endif()
    if(NOT arg_PROCESSORS)
        set(arg_PROCESSORS 1)
    endif()
    add_executable(${arg_NAME} ${arg_SOURCES})
    _telpher_setup(${arg_NAME} pch_test)
    telpher_label(${arg_NAME} ${arg_LABEL})
    if(arg_THREADS)
        telpher_label(${arg_NAME} threads)
    endif()
    # Tests compare with literals all the time; a narrowing there is checked by the comparison itself.
    target_compile_options(${arg_NAME} PRIVATE -Wno-conversion)
    target_compile_definitions(${arg_NAME} PRIVATE "TELPHER_BIN_DIR=\"${CMAKE_RUNTIME_OUTPUT_DIRECTORY}\""
        "TELPHER_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\"")
    target_link_libraries(${arg_NAME} PRIVATE ${arg_LIBS} telpher_test_support GTest::gmock_main rapidcheck_gtest)
    foreach(program IN LISTS arg_DEPENDS)
        if(TARGET ${program})
            add_dependencies(${arg_NAME} ${program})
        endif()
    endforeach()
    set(label "${arg_LABEL}")
    if(arg_LONG)
        string(APPEND label "-long")
    endif()
    set(properties LABELS "${label}" TIMEOUT ${arg_TIMEOUT} PROCESSORS ${arg_PROCESSORS}
        ENVIRONMENT "${TELPHER_TEST_ENVIRONMENT}")
    if(arg_EACH)
        include(GoogleTest)
        gtest_discover_tests(${arg_NAME} TEST_PREFIX "${arg_NAME}." DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 30
            PROPERTIES ${properties})
    else()
        add_test(NAME ${arg_NAME} COMMAND ${arg_NAME})
        set_tests_properties(${arg_NAME} PROPERTIES ${properties})
        if(arg_THREADS)
            set_property(TEST ${arg_NAME} APPEND PROPERTY LABELS threads)
        endif()
    endif()
endfunction()
