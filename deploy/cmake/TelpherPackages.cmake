# Debian packages, one a component: cpack --preset package. Install scripts and what else dpkg wants lie in
# deploy/packages.

set(_packages "${PROJECT_SOURCE_DIR}/deploy/packages")
set(TELPHER_PACKAGE_REVISION 1 CACHE STRING "Debian revision of the packages")
set(TELPHER_MAINTAINER "Telpher maintainers <maintainers@telpher.example>" CACHE STRING "Maintainer of the packages")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "Telpher")
set(CPACK_PACKAGE_CONTACT "${TELPHER_MAINTAINER}")
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_BINARY_DIR}/packages")
set(CPACK_COMPONENTS_ALL broker tools worker runtime dev)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_STRIP_FILES ON)
# Configuration is in /etc, outside of the prefix.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
    WORLD_READ WORLD_EXECUTE)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE "${TELPHER_PACKAGE_REVISION}")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
# Each package has a summary of its own: with the default here CPack adds none.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${CMAKE_PROJECT_NAME} built using CMake")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)

set(_version "${PROJECT_VERSION}-${TELPHER_PACKAGE_REVISION}")
string(TIMESTAMP _date "%a, %d %b %Y %H:%M:%S +0000" UTC)

# telpher_package(COMPONENT NAME SECTION SUMMARY TEXT [DEPENDS d...] [RECOMMENDS r...] [CONTROL file...])
function(telpher_package component name)
    cmake_parse_arguments(PARSE_ARGV 2 arg "" "SECTION;SUMMARY;TEXT" "DEPENDS;RECOMMENDS;CONTROL")
    string(TOUPPER "${component}" id)
    list(JOIN arg_DEPENDS ", " depends)
    list(JOIN arg_RECOMMENDS ", " recommends)
    list(TRANSFORM arg_CONTROL PREPEND "${_packages}/${component}/")
    set(CPACK_DEBIAN_${id}_PACKAGE_NAME "${name}" PARENT_SCOPE)
    set(CPACK_DEBIAN_${id}_PACKAGE_SECTION "${arg_SECTION}" PARENT_SCOPE)
    set(CPACK_DEBIAN_${id}_PACKAGE_DEPENDS "${depends}" PARENT_SCOPE)
    set(CPACK_DEBIAN_${id}_PACKAGE_RECOMMENDS "${recommends}" PARENT_SCOPE)
    set(CPACK_DEBIAN_${id}_PACKAGE_CONTROL_EXTRA "${arg_CONTROL}" PARENT_SCOPE)
    set(CPACK_COMPONENT_${id}_DESCRIPTION "${arg_SUMMARY}\n${arg_TEXT}" PARENT_SCOPE)

    set(doc "${PROJECT_BINARY_DIR}/doc/${name}")
    set(TELPHER_PACKAGE "${name}")
    set(TELPHER_VERSION "${_version}")
    set(TELPHER_DATE "${_date}")
    configure_file("${_packages}/changelog.in" "${doc}/changelog.Debian" @ONLY)
    execute_process(COMMAND gzip -9nf "${doc}/changelog.Debian" COMMAND_ERROR_IS_FATAL ANY)
    install(FILES "${doc}/changelog.Debian.gz" "${_packages}/copyright"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/${name}" COMPONENT ${component})
    # What lintian warns of, and why it is so.
    install(FILES "${_packages}/lintian/${name}" DESTINATION "${CMAKE_INSTALL_DATADIR}/lintian/overrides"
        COMPONENT ${component})
endfunction()

set(_about "Telpher is the bounded queue between producer and consumer processes, on\none host or many: durable, \
crash-safe and distributed. A full queue makes\nproducers wait; the work of a consumer that dies returns.\n.\n")
set(_sysusers "systemd | systemd-standalone-sysusers | systemd-sysusers")

telpher_package(broker telpher-broker SECTION net
    SUMMARY "bounded durable queues between processes - broker"
    TEXT "${_about}This package holds the broker, telpherd, and its service."
    DEPENDS "${_sysusers}" procps
    RECOMMENDS "telpher-tools (= ${_version})"
    CONTROL conffiles postinst prerm postrm)
telpher_package(tools telpher-tools SECTION net
    SUMMARY "bounded durable queues between processes - command line and producer"
    TEXT "${_about}This package holds telpher, the command for people and scripts, and the\nproducer daemon."
    DEPENDS "${_sysusers}"
    CONTROL postinst prerm postrm)
telpher_package(worker telpher-worker SECTION net
    SUMMARY "bounded durable queues between processes - consumer"
    TEXT "${_about}This package holds the consumer daemon, which runs a command for every\nmessage, and its units."
    DEPENDS "telpher-tools (= ${_version})" procps
    CONTROL postinst prerm postrm)
telpher_package(runtime libtelpher0 SECTION libs
    SUMMARY "bounded durable queues between processes - C++ library"
    TEXT "${_about}This package holds the shared library of clients."
    CONTROL triggers)
telpher_package(dev libtelpher-dev SECTION libdevel
    SUMMARY "bounded durable queues between processes - C++ headers"
    TEXT "${_about}This package holds the headers, the CMake package and the pkg-config\nfile."
    DEPENDS "libtelpher0 (= ${_version})" libexpected-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SHLIBDEPS OFF)

include(CPack)
