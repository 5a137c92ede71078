/* child.h: a child process that answers through a pipe: for code of others that may crash or hang (drivers, libhdf5),
 * and for what holds for a whole process (its environment, the caches of drivers).
 *
 * A child is a copy of this process made by fork, without its other threads, so this process should not have opened a
 * device before. It leaves without exit handlers, and writes no core file. SIGINT and SIGTERM end it, whatever this
 * process does about them. Both ends are the same program: what is sent are plain structs, without any encoding.
 * Systems without fork have no children: child_start fails there, and child_run is false.
 */
#ifndef SUPPORT_CHILD_H
#define SUPPORT_CHILD_H

#include "nst.h"

/* ---- One answer -------------------------------------------------------------------------------------------------- */

/* Fills in the result, in the child. */
typedef void child_task(void *user, void *result);

/* Runs the task in a child and copies its result of `bytes`. False, and the result is as it was, if the child crashed,
 * was silent for `patience_ms` and was killed, or could not be started. */
bool child_run(child_task *task, void *user, void *result, size_t bytes, int patience_ms);

/* ---- An answer in parts ------------------------------------------------------------------------------------------ */

enum { CHILD_FOREVER = -1, CHILD_ENDING_LENGTH = 80 };

struct child {
    long process;
    int pipe_end, patience_ms;
    bool was_silent; /* the patience ran out */
};

/* Runs in the child, and sends its answer by child_send. */
typedef void child_talk(void *user, int pipe_end);

/* In the child: sends so many bytes. Ends the child if nobody listens any more. */
void child_send(int pipe_end, const void *data, size_t bytes);

/* Starts a child; end it with child_end. Each child_receive waits for `patience_ms`, or CHILD_FOREVER. `purpose` is for
 * the message: "list the devices". Errors: NST_ERROR_MEMORY (the system has no pipe or no process to give). */
nst_status child_start(child_talk *talk, void *user, const char *purpose, int patience_ms, struct child *child,
                       nst_error *error);

/* Waits for so many bytes. False when the child has ended, or was silent for too long. */
bool child_receive(struct child *child, void *data, size_t bytes);

/* Waits for the child's end; one that was silent is killed. If it did not send all that was expected, `ending` says
 * what became of it, to be put behind a name: "crashed (Segmentation fault)", "did not answer within 30 seconds",
 * "ended the program". */
void child_end(struct child *child, char ending[CHILD_ENDING_LENGTH]);

#endif
