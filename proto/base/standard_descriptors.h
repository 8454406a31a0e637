// Descriptors 0, 1 and 2 of the process.
#pragma once

namespace telpher {

/// Fills those of stdin, stdout and stderr that are closed, so that no socket, file or event of ours becomes one of
/// them: what is printed would go there. They are opened the wrong way round, so that reading or writing fails (EBADF)
/// as it would on a closed one. Call it first in main(), before there are other threads.
void fill_standard_descriptors();

}  // namespace telpher
