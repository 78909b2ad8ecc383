/* caller.c - for whom the engine works. */
#include "caller.h"

__thread struct caller *caller;
