# Units for systemd, the user, the configuration, and examples. With the prefix /usr (preset package) they go where the
# system looks; elsewhere they lie under the prefix.

set(_source "${PROJECT_SOURCE_DIR}/deploy/systemd")
set(_config "${CMAKE_INSTALL_SYSCONFDIR}/telpher")
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
    set(_config "${CMAKE_INSTALL_FULL_SYSCONFDIR}/telpher") # /etc, and not /usr/etc
endif()

# telpher_unit(NAME COMPONENT): NAME.in with the paths of this installation, or NAME as it is.
function(telpher_unit name component)
    set(unit "${_source}/${name}")
    if(EXISTS "${unit}.in")
        configure_file("${unit}.in" "${PROJECT_BINARY_DIR}/systemd/${name}" @ONLY)
        set(unit "${PROJECT_BINARY_DIR}/systemd/${name}")
    endif()
    install(FILES "${unit}" DESTINATION lib/systemd/system COMPONENT ${component})
endfunction()

telpher_unit(telpherd.service broker)
telpher_unit(telpher-producer@.service tools)
telpher_unit(telpher-consumer@.service worker)
telpher_unit(telpher-consumers.target worker)
install(FILES "${_source}/sysusers.d/telpher.conf" DESTINATION lib/sysusers.d COMPONENT broker)
install(FILES "${_source}/sysusers.d/telpher-clients.conf" DESTINATION lib/sysusers.d COMPONENT tools)

install(FILES "${PROJECT_SOURCE_DIR}/deploy/telpherd.toml" DESTINATION "${_config}" COMPONENT broker)
# Empty folders, for the files of the instances.
install(DIRECTORY DESTINATION "${_config}/conf.d" COMPONENT broker)
install(DIRECTORY DESTINATION "${_config}/producers" COMPONENT tools)
install(DIRECTORY DESTINATION "${_config}/consumers" COMPONENT worker)
install(FILES "${_source}/examples/producer.env" DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/telpher-tools/examples"
    COMPONENT tools)
install(FILES "${_source}/examples/consumer.env" DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/telpher-worker/examples"
    COMPONENT worker)
