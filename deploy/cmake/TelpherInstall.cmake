# libtelpher: the protocol and both client libraries in one shared library, with nothing of ZeroMQ or protobuf in its
# interface. Made once the client libraries have sources.

get_target_property(_producer_type telpher_producer TYPE)
get_target_property(_consumer_type telpher_consumer TYPE)
if(_producer_type STREQUAL "INTERFACE_LIBRARY" OR _consumer_type STREQUAL "INTERFACE_LIBRARY")
    return()
endif()

add_library(telpher_shared SHARED $<TARGET_OBJECTS:telpher_proto> $<TARGET_OBJECTS:telpher_producer>
    $<TARGET_OBJECTS:telpher_consumer>)
add_library(telpher::telpher ALIAS telpher_shared)
# The program `telpher` already has the name; users see telpher::telpher and libtelpher.so.
set_target_properties(telpher_shared PROPERTIES OUTPUT_NAME telpher EXPORT_NAME telpher LINKER_LANGUAGE CXX
    VERSION "${PROJECT_VERSION}" SOVERSION 0)
target_link_libraries(telpher_shared PRIVATE ${TELPHER_WIRE_LIBS} PUBLIC tl::expected Threads::Threads)
target_compile_features(telpher_shared PUBLIC cxx_std_20)
target_include_directories(telpher_shared INTERFACE
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/proto/include>"
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/producer/include>"
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/consumer/include>"
    "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")

include(CMakePackageConfigHelpers)
set(_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/telpher")
install(TARGETS telpher_shared EXPORT telpherTargets LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime
    NAMELINK_COMPONENT dev)
foreach(part IN ITEMS proto producer consumer)
    if(EXISTS "${PROJECT_SOURCE_DIR}/${part}/include/telpher")
        install(DIRECTORY "${PROJECT_SOURCE_DIR}/${part}/include/telpher" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
            COMPONENT dev FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
    endif()
endforeach()
install(EXPORT telpherTargets NAMESPACE telpher:: DESTINATION "${_package_dir}" COMPONENT dev)
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/telpherConfig.cmake.in"
    "${PROJECT_BINARY_DIR}/telpherConfig.cmake" INSTALL_DESTINATION "${_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/telpherConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/telpherConfig.cmake" "${PROJECT_BINARY_DIR}/telpherConfigVersion.cmake"
    DESTINATION "${_package_dir}" COMPONENT dev)
# From lib/pkgconfig, however deep that is, back to the prefix: the installed folder may be moved.
file(RELATIVE_PATH TELPHER_PC_PREFIX "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
string(REGEX REPLACE "/$" "" TELPHER_PC_PREFIX "${TELPHER_PC_PREFIX}")
configure_file("${CMAKE_CURRENT_LIST_DIR}/telpher.pc.in" "${PROJECT_BINARY_DIR}/telpher.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/telpher.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT dev)
