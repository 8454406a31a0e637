# Manual pages and completion, written by the built programs themselves: they describe what they understand. Pages end up
# in man/COMPONENT of the build.

set(_make "${PROJECT_SOURCE_DIR}/deploy/man/make")
file(GLOB _by_hand CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/deploy/man/*.inc")
set(_stamps "")

# telpher_manual(PROGRAM COMPONENT [FILE WORD])
function(telpher_manual program component)
    set(dir "${PROJECT_BINARY_DIR}/man/${component}")
    set(stamp "${PROJECT_BINARY_DIR}/man/${program}.stamp")
    add_custom_command(OUTPUT "${stamp}"
        COMMAND "${_make}" "$<TARGET_FILE:${program}>" "${dir}" ${ARGN}
        COMMAND "${CMAKE_COMMAND}" -E touch "${stamp}"
        DEPENDS ${program} "${_make}" ${_by_hand} COMMENT "Writing the manual of ${program}" VERBATIM)
    set(_stamps ${_stamps} "${stamp}" PARENT_SCOPE)
endfunction()

telpher_manual(telpherd broker telpherd.toml.5 telpherd.toml)
telpher_manual(telpher tools)
telpher_manual(telpher-producer tools)
telpher_manual(telpher-consumer worker)

set(_completion "${PROJECT_BINARY_DIR}/completion")
add_custom_command(OUTPUT "${_completion}/telpher" "${_completion}/_telpher"
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${_completion}"
    COMMAND telpher completion bash > "${_completion}/telpher"
    COMMAND telpher completion zsh > "${_completion}/_telpher"
    DEPENDS telpher COMMENT "Writing the completion" VERBATIM)
add_custom_target(telpher_manuals ALL DEPENDS ${_stamps} "${_completion}/telpher" "${_completion}/_telpher")

foreach(component IN ITEMS broker tools worker)
    install(DIRECTORY "${PROJECT_BINARY_DIR}/man/${component}/" DESTINATION "${CMAKE_INSTALL_MANDIR}"
        COMPONENT ${component} FILES_MATCHING PATTERN "*.gz")
endforeach()
# bash looks for a file with the name of the program.
foreach(pair IN ITEMS telpherd:broker telpher:tools telpher-producer:tools telpher-consumer:worker)
    string(REPLACE ":" ";" pair "${pair}")
    list(GET pair 0 program)
    list(GET pair 1 component)
    install(FILES "${_completion}/telpher" RENAME ${program}
        DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" COMPONENT ${component})
endforeach()
install(FILES "${_completion}/_telpher" DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions" COMPONENT tools)
