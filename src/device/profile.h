/* profile.h: how long each kernel took, by its name. Kept only when the context was made with profiling. */
#ifndef DEVICE_PROFILE_H
#define DEVICE_PROFILE_H

#include "device/context.h"

struct profile_entry {
    char name[64];
    uint64_t calls;
    double ms;
};

struct kernel_profile *profile_create(void);
void profile_free(struct kernel_profile *profile);

/* Hands over the event of a command, to be counted under `name` once it has finished. Releases the event; without
 * profiling that is all it does. For kernels, kernel_run calls it; for CLBlast's products, who calls CLBlast. */
void profile_record(nst_context *context, const char *name, cl_event event);

/* Waits for everything enqueued and returns the table so far, the longest time first; it belongs to the context and is
 * valid until the next command. `*count` is 0 without profiling. */
nst_status profile_table(nst_context *context, const struct profile_entry **table, size_t *count, nst_error *error);

/* Forgets what was recorded, as after warming up. */
nst_status profile_reset(nst_context *context, nst_error *error);

#endif
