#include "proto/base/standard_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include "proto/base/check.h"

namespace telpher {

void fill_standard_descriptors() {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
        if (::fcntl(fd, F_GETFD) >= 0) continue;
        // The lowest free one is given, which is this.
        const int opened = ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        TELPHER_CHECK_MSG(opened == fd, "cannot open /dev/null in place of a closed stdin, stdout or stderr");
    }
}

}  // namespace telpher
