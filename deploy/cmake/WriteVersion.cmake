# Run at build time: cmake -DSOURCE=... -DINPUT=... -DOUTPUT=... -DVERSION=... -P WriteVersion.cmake
# The header changes, and what includes it is compiled again, only when the revision did. Without a git folder the
# revision is that of the environment's TELPHER_REVISION.
execute_process(
    COMMAND git --no-optional-locks -C "${SOURCE}" describe --always --dirty --abbrev=12 --exclude=*
    OUTPUT_VARIABLE TELPHER_GIT_REVISION OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed OR NOT TELPHER_GIT_REVISION)
    set(TELPHER_GIT_REVISION "$ENV{TELPHER_REVISION}")
endif()
if(NOT TELPHER_GIT_REVISION)
    set(TELPHER_GIT_REVISION "unknown")
endif()
configure_file("${INPUT}" "${OUTPUT}" @ONLY)
