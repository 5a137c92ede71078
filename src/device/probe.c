/* probe.c: asks the drivers in a child process; see probe.h.
 *
 * The child writes plain structs into a pipe: once a start_message, then for every platform a name_message, a
 * platform_message and as many nst_device_info as that promises. Both ends are the same program, so the structs need no
 * encoding.
 */
#include "device/probe.h"

#include "device/list.h"
#include "support/child.h"
#include "support/error.h"

#ifdef _WIN32

nst_status probe_devices(int patience_ms, nst_device_list *list, nst_error *error) {
    (void)patience_ms;
    return list_query(-1, list, error);
}

#else

#include <stdlib.h>
#include <string.h>

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

/* A child_talk. */
static void tell_platforms(void *user, int pipe_end) {
    const struct progress *progress = user;
    if (progress->unsorted) {
        setenv("OCL_ICD_PLATFORM_SORT", "none", 1);
    }
    struct start_message start = {0};
    start.code = query_platform_count(&start.platform_count);
    child_send(pipe_end, &start, sizeof start);
    for (cl_uint i = progress->platform; i < start.platform_count; ++i) {
        struct name_message name = {{0}};
        struct platform_report report;
        query_platform_name(i, name.name, sizeof name.name);
        child_send(pipe_end, &name, sizeof name);
        if (!query_platform(i, &report)) {
            return;
        }
        struct platform_message message = {.device_count = (uint32_t)report.count};
        memcpy(message.failure, report.failure, sizeof message.failure);
        child_send(pipe_end, &message, sizeof message);
        child_send(pipe_end, report.devices, report.count * sizeof *report.devices);
        platform_report_free(&report);
    }
}

/* ---- The parent ------------------------------------------------------------------------------------------------ */

/* One platform's answer. False when the child failed; `report` then holds the name, as far as it was told. */
static bool receive_platform(struct child *child, struct platform_report *report) {
    struct name_message name;
    struct platform_message message;
    *report = (struct platform_report){0};
    if (!child_receive(child, &name, sizeof name)) {
        return false;
    }
    snprintf(report->name, sizeof report->name, "%.*s", (int)sizeof name.name - 1, name.name);
    if (!child_receive(child, &message, sizeof message) || message.device_count > MOST_DEVICES) {
        return false;
    }
    memcpy(report->failure, message.failure, sizeof report->failure);
    report->failure[sizeof report->failure - 1] = 0;
    report->devices = calloc((size_t)message.device_count + 1, sizeof *report->devices);
    if (!report->devices || !child_receive(child, report->devices, message.device_count * sizeof *report->devices)) {
        return false;
    }
    report->count = message.device_count;
    return true;
}

/* Says what became of a child that failed; `name` is "" if it did not get as far as a platform. */
static bool add_failure_note(nst_device_list *list, const char *name, const char *ending) {
    if (!name[0]) {
        return list_add_note(list,
                             "One of the OpenCL drivers %s when they were loaded: remove or update the drivers "
                             "that you do not need.",
                             ending);
    }
    return list_add_note(list, "The driver of the platform %s %s when asked for its devices: update or remove it.",
                         name, ending);
}

/* The child ended before it told the number of platforms. */
static bool handle_failed_start(nst_device_list *list, struct progress *progress, const char *ending) {
    if (progress->unsorted || getenv("OCL_ICD_PLATFORM_SORT")) {
        progress->finished = true;
        return add_failure_note(list, "", ending);
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
    char ending[CHILD_ENDING_LENGTH];
    nst_status status = child_start(tell_platforms, progress, "list the devices", patience_ms, &child, error);
    if (status) {
        return status;
    }
    bool complete = true, started = child_receive(&child, &start, sizeof start), answered = started;
    if (started && start.code != CL_SUCCESS) {
        progress->finished = true;
        complete = list_add_no_platform_note(list, start.code);
    } else if (started) {
        complete = receive_platforms(&child, start.platform_count, list, progress, &failed, &answered);
    }
    child_end(&child, ending);
    if (!started) {
        complete = handle_failed_start(list, progress, ending);
    } else if (!answered) {
        if (!failed.name[0]) {
            snprintf(failed.name, sizeof failed.name, "number %u", progress->platform);
        }
        complete = add_failure_note(list, failed.name, ending);
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
