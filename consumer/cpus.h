// How many CPUs there are for this process. Any thread.
#pragma once

namespace telpher::consumer {

/// Those it may run on (affinity, cpuset), at least 1.
unsigned cpus();

}  // namespace telpher::consumer
