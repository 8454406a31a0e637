// Telpher's C++ client: everything.
#pragma once

#include "telpher/client.h"
#include "telpher/error.h"
#include "telpher/options.h"
#include "telpher/run.h"
