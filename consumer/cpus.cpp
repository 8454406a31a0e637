#include "consumer/cpus.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>

namespace telpher::consumer {

unsigned cpus() {
    cpu_set_t set;
    if (::sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<unsigned>(std::max(CPU_COUNT(&set), 1));
    return static_cast<unsigned>(std::max(::sysconf(_SC_NPROCESSORS_ONLN), 1L));  // more than fit a set
}

}  // namespace telpher::consumer
