/* child.c: a child process that answers through a pipe; see child.h. */
#include "support/child.h"

#include "support/clock.h"
#include "support/error.h"

#include <stdlib.h>
#include <string.h>

#ifdef _WIN32

void child_send(int pipe_end, const void *data, size_t bytes) {
    (void)pipe_end, (void)data, (void)bytes;
}

nst_status child_start(child_talk *talk, void *user, const char *purpose, int patience_ms, struct child *child,
                       nst_error *error) {
    (void)talk, (void)user, (void)patience_ms, (void)child;
    return fail(error, NST_ERROR_MEMORY, "cannot start a process to %s: this system has no fork", purpose);
}

bool child_receive(struct child *child, void *data, size_t bytes) {
    (void)child, (void)data, (void)bytes;
    return false;
}

void child_end(struct child *child, char ending[CHILD_ENDING_LENGTH]) {
    (void)child;
    *ending = 0;
}

#else

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- In the child ------------------------------------------------------------------------------------------------ */

void child_send(int pipe_end, const void *data, size_t bytes) {
    const char *next = data;
    while (bytes > 0) {
        ssize_t written = write(pipe_end, next, bytes);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            _exit(1);
        }
        next += written;
        bytes -= (size_t)written;
    }
}

/* A handler that this process has installed only asks it to stop later. */
static void restore_default(int signal_number) {
    struct sigaction before;
    if (sigaction(signal_number, NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
        signal(signal_number, SIG_DFL);
    }
}

_Noreturn static void run(child_talk *talk, void *user, int pipe_end) {
    restore_default(SIGINT);
    restore_default(SIGTERM);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    talk(user, pipe_end);
    _exit(0);
}

/* ---- In the parent ----------------------------------------------------------------------------------------------- */

nst_status child_start(child_talk *talk, void *user, const char *purpose, int patience_ms, struct child *child,
                       nst_error *error) {
    int ends[2];
    if (pipe(ends) != 0) {
        return fail(error, NST_ERROR_MEMORY, "cannot make a pipe to %s: %s", purpose, strerror(errno));
    }
    fflush(NULL); /* else the child has what is not written yet as well */
    pid_t process = fork();
    if (process == 0) {
        close(ends[0]);
        run(talk, user, ends[1]);
    }
    int code = errno;
    close(ends[1]);
    if (process < 0) {
        close(ends[0]);
        return fail(error, NST_ERROR_MEMORY, "cannot start a process to %s: %s", purpose, strerror(code));
    }
    *child = (struct child){.process = process, .pipe_end = ends[0], .patience_ms = patience_ms};
    return NST_OK;
}

static int64_t clock_ms(void) {
    return (int64_t)(1e3 * seconds_now());
}

/* Waits until there is something to read, or the child has ended; false if neither comes before the end of time. */
static bool wait_for_pipe(const struct child *child, int64_t end_ms) {
    struct pollfd pipe_end = {.fd = child->pipe_end, .events = POLLIN};
    int ready;
    do {
        int64_t left_ms = end_ms - clock_ms();
        ready = poll(&pipe_end, 1, child->patience_ms < 0 ? -1 : left_ms > 0 ? (int)left_ms : 0);
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

bool child_receive(struct child *child, void *data, size_t bytes) {
    char *next = data;
    int64_t end_ms = clock_ms() + child->patience_ms;
    while (bytes > 0) {
        if (!wait_for_pipe(child, end_ms)) {
            child->was_silent = true;
            return false;
        }
        ssize_t got = read(child->pipe_end, next, bytes);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        next += got;
        bytes -= (size_t)got;
    }
    return true;
}

/* The state that waitpid tells, -1 if there is none: a process that hangs inside the kernel does not even end when it
 * is killed, and is left alone after a second. */
static int wait_for_end(const struct child *child) {
    enum { TRIES = 100, PAUSE_NS = 10000000 };
    for (int tries = 0; tries < TRIES || !child->was_silent; ++tries) {
        int state;
        pid_t ended = waitpid((pid_t)child->process, &state, child->was_silent ? WNOHANG : 0);
        if (ended > 0) {
            return state;
        }
        if (ended < 0 && errno != EINTR) {
            break;
        }
        if (child->was_silent) {
            nanosleep(&(struct timespec){0, PAUSE_NS}, NULL);
        }
    }
    return -1;
}

void child_end(struct child *child, char ending[CHILD_ENDING_LENGTH]) {
    close(child->pipe_end); /* a child that is still sending ends by that */
    if (child->was_silent) {
        kill((pid_t)child->process, SIGKILL);
    }
    int state = wait_for_end(child);
    if (child->was_silent) {
        snprintf(ending, CHILD_ENDING_LENGTH, "did not answer within %d seconds", (child->patience_ms + 999) / 1000);
    } else if (state >= 0 && WIFSIGNALED(state)) {
        snprintf(ending, CHILD_ENDING_LENGTH, "crashed (%s)", strsignal(WTERMSIG(state)));
    } else {
        snprintf(ending, CHILD_ENDING_LENGTH, "ended the program");
    }
}

#endif

/* ---- One answer -------------------------------------------------------------------------------------------------- */

struct task {
    child_task *run;
    void *user, *result;
    size_t bytes;
};

static void talk_of_task(void *user, int pipe_end) {
    const struct task *task = user;
    task->run(task->user, task->result);
    child_send(pipe_end, task->result, task->bytes);
}

bool child_run(child_task *run, void *user, void *result, size_t bytes, int patience_ms) {
    struct task task = {run, user, result, bytes};
    struct child child;
    char ending[CHILD_ENDING_LENGTH];
    void *received = malloc(bytes);
    if (!received || child_start(talk_of_task, &task, "run a task", patience_ms, &child, NULL)) {
        free(received);
        return false;
    }
    bool arrived = child_receive(&child, received, bytes);
    child_end(&child, ending);
    if (arrived) {
        memcpy(result, received, bytes);
    }
    free(received);
    return arrived;
}
