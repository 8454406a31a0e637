// The descriptors the process may have. Main thread.
#pragma once

#include <cstddef>

#include "telpher/error.h"

namespace telpher::broker {

/// Raises the soft limit to what so many connections need; kConfig if the hard one is too low.
Result<void> raise_descriptors(std::size_t connections_max);

}  // namespace telpher::broker
