/* child.c: work in a child process; see child.h. */
#include "support/child.h"

#ifdef _WIN32

bool child_run(child_work *work, void *user, void *result, size_t bytes, int patience_ms) {
    (void)work, (void)user, (void)result, (void)bytes, (void)patience_ms;
    return false;
}

#else

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Does not return. A result is at most so long that a pipe takes it at once (PIPE_BUF is at least 512, usually 4096).
 */
static void run(child_work *work, void *user, void *result, size_t bytes, int pipe_end) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    work(user, result);
    ssize_t written = write(pipe_end, result, bytes);
    _exit(written == (ssize_t)bytes ? 0 : 1);
}

bool child_run(child_work *work, void *user, void *result, size_t bytes, int patience_ms) {
    int ends[2];
    void *received = malloc(bytes);
    fflush(NULL);
    if (!received || pipe(ends) != 0) {
        free(received);
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        run(work, user, result, bytes, ends[1]);
    }
    close(ends[1]);
    bool done = false;
    if (child > 0) {
        struct pollfd wait = {.fd = ends[0], .events = POLLIN};
        done = poll(&wait, 1, patience_ms) == 1 && read(ends[0], received, bytes) == (ssize_t)bytes;
        if (!done) {
            kill(child, SIGKILL);
        }
        waitpid(child, NULL, 0);
    }
    close(ends[0]);
    if (done) {
        memcpy(result, received, bytes);
    }
    free(received);
    return done;
}

#endif
