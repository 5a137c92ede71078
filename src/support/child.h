/* child.h: work in a child process: for what holds for a whole process (environment, caches of drivers), and for
 * drivers that may crash or hang. */
#ifndef SUPPORT_CHILD_H
#define SUPPORT_CHILD_H

#include <stdbool.h>
#include <stddef.h>

/* Fills in the result, which may be sent as bytes. */
typedef void child_work(void *user, void *result);

/* Does the work in a child and copies its result. False, and the result is as it was, if the child crashed, was silent
 * for `patience_ms` and was killed, or cannot be made on this system. This process should not have opened a device. */
bool child_run(child_work *work, void *user, void *result, size_t bytes, int patience_ms);

#endif
