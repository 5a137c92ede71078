/* probe.c: asks the drivers in a child process; see probe.h.
 *
 * The child writes plain structs into a pipe: once a start_message, then for every platform a name_message, a
 * platform_message and as many nst_device_info as that promises. Both ends are the same program, so the structs need no
 * encoding.
 */
#include "device/probe.h"

#include "device/list.h"
#include "support/error.h"

#ifdef _WIN32

nst_status probe_devices(int patience_ms, nst_device_list *list, nst_error *error) {
    (void)patience_ms;
    return list_query(-1, list, error);
}

#else

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_DEVICES = 256 };

struct start_message {
    cl_int code; /* of clGetPlatformIDs */
    cl_uint platform_count;
};

/* The name goes first, so that it is known if the driver then fails; the rest when the platform has answered. */
struct name_message {
    char name[128];
};

struct platform_message {
    char failure[OPENCL_FAILURE_LENGTH];
    uint32_t device_count;
};

/* How far the list has got. */
struct progress {
    cl_uint platform; /* the next to ask */
    bool finished;
    /* The loader ocl-icd counts every platform's devices before it tells the platforms, to sort them: if that fails,
     * another child does without, which shows whose driver it was. */
    bool unsorted;
};

/* ---- The child ------------------------------------------------------------------------------------------------- */

static void send_bytes(int pipe_end, const void *data, size_t bytes) {
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

/* Never returns, and leaves without the exit handlers of drivers. */
static void run_child(int pipe_end, const struct progress *progress) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (progress->unsorted) {
        setenv("OCL_ICD_PLATFORM_SORT", "none", 1);
    }
    struct start_message start = {0};
    start.code = query_platform_count(&start.platform_count);
    send_bytes(pipe_end, &start, sizeof start);
    for (cl_uint i = progress->platform; i < start.platform_count; ++i) {
        struct name_message name = {{0}};
        struct platform_report report;
        query_platform_name(i, name.name, sizeof name.name);
        send_bytes(pipe_end, &name, sizeof name);
        if (!query_platform(i, &report)) {
            _exit(1);
        }
        struct platform_message message = {.device_count = (uint32_t)report.count};
        memcpy(message.failure, report.failure, sizeof message.failure);
        send_bytes(pipe_end, &message, sizeof message);
        send_bytes(pipe_end, report.devices, report.count * sizeof *report.devices);
        platform_report_free(&report);
    }
    _exit(0);
}

/* ---- The parent ------------------------------------------------------------------------------------------------ */

struct child {
    pid_t process;
    int pipe_end;
    int patience_ms;
    bool was_silent; /* the patience ran out */
};

static nst_status start_child(struct child *child, int patience_ms, const struct progress *progress, nst_error *error) {
    int ends[2];
    if (pipe(ends) != 0) {
        return fail(error, NST_ERROR_DEVICE, "cannot make a pipe to list the devices: %s", strerror(errno));
    }
    pid_t process = fork();
    if (process == 0) {
        close(ends[0]);
        run_child(ends[1], progress);
    }
    int code = errno;
    close(ends[1]);
    if (process < 0) {
        close(ends[0]);
        return fail(error, NST_ERROR_DEVICE, "cannot start a process to list the devices: %s", strerror(code));
    }
    *child = (struct child){process, ends[0], patience_ms, false};
    return NST_OK;
}

static int64_t clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* False when the child has died or is silent for too long. */
static bool receive_bytes(struct child *child, void *data, size_t bytes) {
    char *next = data;
    int64_t end_ms = clock_ms() + child->patience_ms;
    while (bytes > 0) {
        int64_t left_ms = end_ms - clock_ms();
        struct pollfd poll_on = {.fd = child->pipe_end, .events = POLLIN};
        int ready = poll(&poll_on, 1, left_ms > 0 ? (int)left_ms : 0);
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready <= 0) {
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

/* How the child ended: 0, or the signal that ended it, or -1 otherwise. A process that hangs inside the kernel does not
 * even end when killed: it is left alone after a second. */
static int end_child(struct child *child) {
    close(child->pipe_end);
    if (child->was_silent) {
        kill(child->process, SIGKILL);
    }
    for (int tries = 0; tries < 100 || !child->was_silent; ++tries) {
        int state;
        pid_t ended = waitpid(child->process, &state, child->was_silent ? WNOHANG : 0);
        if (ended == child->process) {
            return WIFSIGNALED(state) ? WTERMSIG(state) : WEXITSTATUS(state) ? -1 : 0;
        }
        if (ended < 0 && errno != EINTR) {
            break;
        }
        if (child->was_silent) {
            nanosleep(&(struct timespec){0, 10000000}, NULL);
        }
    }
    return -1;
}

/* One platform's answer. False when the child failed; `report` then holds the name, as far as it was told. */
static bool receive_platform(struct child *child, struct platform_report *report) {
    struct name_message name;
    struct platform_message message;
    *report = (struct platform_report){0};
    if (!receive_bytes(child, &name, sizeof name)) {
        return false;
    }
    snprintf(report->name, sizeof report->name, "%.*s", (int)sizeof name.name - 1, name.name);
    if (!receive_bytes(child, &message, sizeof message) || message.device_count > MOST_DEVICES) {
        return false;
    }
    memcpy(report->failure, message.failure, sizeof report->failure);
    report->failure[sizeof report->failure - 1] = 0;
    report->devices = calloc((size_t)message.device_count + 1, sizeof *report->devices);
    if (!report->devices || !receive_bytes(child, report->devices, message.device_count * sizeof *report->devices)) {
        return false;
    }
    report->count = message.device_count;
    return true;
}

/* Says what became of a child that failed; `name` is "" if it did not get as far as a platform. */
static bool add_failure_note(nst_device_list *list, const char *name, const struct child *child, int ending) {
    char what[96];
    if (child->was_silent) {
        snprintf(what, sizeof what, "did not answer within %d seconds", (child->patience_ms + 999) / 1000);
    } else if (ending > 0) {
        snprintf(what, sizeof what, "crashed (%s)", strsignal(ending));
    } else {
        snprintf(what, sizeof what, "ended the program");
    }
    if (!name[0]) {
        return list_add_note(list,
                             "One of the OpenCL drivers %s when they were loaded: remove or update the drivers "
                             "that you do not need.",
                             what);
    }
    return list_add_note(list, "The driver of the platform %s %s when asked for its devices: update or remove it.",
                         name, what);
}

/* The child ended before it told the number of platforms. */
static bool handle_failed_start(nst_device_list *list, struct progress *progress, const struct child *child,
                                int ending) {
    if (progress->unsorted || getenv("OCL_ICD_PLATFORM_SORT")) {
        progress->finished = true;
        return add_failure_note(list, "", child, ending);
    }
    progress->unsorted = true;
    return list_add_note(list,
                         "A driver fails as soon as the platforms are sorted: the numbers of devices here hold with "
                         "OCL_ICD_PLATFORM_SORT=none in the environment, which also lets you use the others.");
}

/* Receives platforms until there are no more or the child fails, which clears `answered`. False without memory. */
static bool receive_platforms(struct child *child, cl_uint platform_count, nst_device_list *list,
                              struct progress *progress, struct platform_report *failed, bool *answered) {
    while (progress->platform < platform_count) {
        *answered = receive_platform(child, failed);
        if (!*answered) {
            return true;
        }
        bool added = list_add_report(list, (int)progress->platform++, failed);
        platform_report_free(failed);
        if (!added) {
            return false;
        }
    }
    progress->finished = true;
    return true;
}

/* One child's life, from the next platform on. */
static nst_status ask(struct progress *progress, int patience_ms, nst_device_list *list, nst_error *error) {
    struct child child;
    struct start_message start;
    struct platform_report failed = {0};
    nst_status status = start_child(&child, patience_ms, progress, error);
    if (status) {
        return status;
    }
    bool complete = true, started = receive_bytes(&child, &start, sizeof start), answered = started;
    if (started && start.code != CL_SUCCESS) {
        progress->finished = true;
        complete = list_add_no_platform_note(list, start.code);
    } else if (started) {
        complete = receive_platforms(&child, start.platform_count, list, progress, &failed, &answered);
    }
    int ending = end_child(&child);
    if (!started) {
        complete = handle_failed_start(list, progress, &child, ending);
    } else if (!answered) {
        if (!failed.name[0]) {
            snprintf(failed.name, sizeof failed.name, "number %u", progress->platform);
        }
        complete = add_failure_note(list, failed.name, &child, ending);
        ++progress->platform;
    }
    platform_report_free(&failed);
    return complete ? NST_OK : fail_memory(error, sizeof *list, "the list of devices");
}

nst_status probe_devices(int patience_ms, nst_device_list *list, nst_error *error) {
    *list = (nst_device_list){0};
    struct progress progress = {0};
    while (!progress.finished) {
        nst_status status = ask(&progress, patience_ms, list, error);
        if (status) {
            nst_device_list_free(list);
            return status;
        }
    }
    list_complete(list);
    return NST_OK;
}

#endif
