/* profile.c: sums up the events of kernels by name; see profile.h. */
#include "device/profile.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_PENDING = 1024 };

struct pending_event {
    size_t entry;
    cl_event event;
};

struct kernel_profile {
    struct profile_entry *entries;
    size_t count, capacity;
    struct pending_event pending[MOST_PENDING];
    size_t pending_count;
};

struct kernel_profile *profile_create(void) {
    return calloc(1, sizeof(struct kernel_profile));
}

/* Adds the times of the events, which must have finished, and releases them. */
static void collect(struct kernel_profile *profile) {
    for (size_t i = 0; i < profile->pending_count; ++i) {
        cl_event event = profile->pending[i].event;
        cl_ulong start_ns = 0, end_ns = 0;
        if (clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof start_ns, &start_ns, NULL) ==
                CL_SUCCESS &&
            clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end_ns, &end_ns, NULL) == CL_SUCCESS &&
            end_ns > start_ns) {
            profile->entries[profile->pending[i].entry].ms += (double)(end_ns - start_ns) * 1e-6;
        }
        profile->entries[profile->pending[i].entry].calls += 1;
        clReleaseEvent(event);
    }
    profile->pending_count = 0;
}

void profile_free(struct kernel_profile *profile) {
    if (!profile) {
        return;
    }
    for (size_t i = 0; i < profile->pending_count; ++i) {
        clReleaseEvent(profile->pending[i].event);
    }
    free(profile->entries);
    free(profile);
}

/* The number of the entry of this name, a new one if need be; false without memory. */
static bool find_entry(struct kernel_profile *profile, const char *name, size_t *entry) {
    for (*entry = 0; *entry < profile->count; ++*entry) {
        if (strncmp(profile->entries[*entry].name, name, sizeof profile->entries->name - 1) == 0) {
            return true;
        }
    }
    if (profile->count == profile->capacity) {
        size_t capacity = profile->capacity ? 2 * profile->capacity : 32;
        struct profile_entry *larger = realloc(profile->entries, capacity * sizeof *larger);
        if (!larger) {
            return false;
        }
        profile->entries = larger;
        profile->capacity = capacity;
    }
    struct profile_entry *added = &profile->entries[profile->count++];
    memset(added, 0, sizeof *added);
    snprintf(added->name, sizeof added->name, "%s", name);
    return true;
}

void profile_record(nst_context *context, const char *name, cl_event event) {
    struct kernel_profile *profile = context->profile;
    if (!event) {
        return;
    }
    size_t entry;
    if (!profile || !find_entry(profile, name, &entry)) {
        clReleaseEvent(event);
        return;
    }
    if (profile->pending_count == MOST_PENDING) {
        clFinish(context->queue);
        collect(profile);
    }
    profile->pending[profile->pending_count++] = (struct pending_event){entry, event};
}

static int compare_time(const void *a, const void *b) {
    const struct profile_entry *x = a, *y = b;
    return x->ms < y->ms ? 1 : x->ms > y->ms ? -1 : strcmp(x->name, y->name);
}

nst_status profile_table(nst_context *context, const struct profile_entry **table, size_t *count, nst_error *error) {
    *table = NULL;
    *count = 0;
    nst_status status = context_finish(context, error);
    if (status || !context->profile) {
        return status;
    }
    collect(context->profile);
    if (context->profile->count > 0) {
        qsort(context->profile->entries, context->profile->count, sizeof *context->profile->entries, compare_time);
    }
    *table = context->profile->entries;
    *count = context->profile->count;
    return NST_OK;
}

nst_status profile_reset(nst_context *context, nst_error *error) {
    nst_status status = context_finish(context, error);
    if (!status && context->profile) {
        collect(context->profile);
        context->profile->count = 0;
    }
    return status;
}
