/* plan.h: every buffer of a job, with its bytes and lifetime, known before anything is allocated.
 *
 * One evaluation of the loss is a sequence of numbered steps (forward, losses, backward). An entry of the plan lives
 * from its first to its last step; entries whose lifetimes do not overlap share a buffer. Entries that keep their
 * content from one evaluation to the next live always.
 */
#ifndef DEVICE_PLAN_H
#define DEVICE_PLAN_H

#include "device/context.h"

#include <limits.h>

struct plan_entry {
    char what[64];
    uint64_t bytes;
    int first_step, last_step;
    int slot;     /* which buffer, once assigned */
    bool on_host; /* memory of the host, no buffer */
    void *host;   /* NULL until allocated */
};

struct plan_slot {
    uint64_t bytes;
    cl_mem buffer; /* NULL until allocated */
};

struct plan {
    struct plan_entry *entries;
    int entry_count, entry_capacity;
    struct plan_slot *slots;
    int slot_count;
    uint64_t limit_bytes; /* of what is on the device, with all that is there already; 0: its memory */
    bool out_of_memory;   /* of the host, while adding: reported by plan_assign */
    bool is_uncountable;  /* a buffer has more elements than kernels, which count in int, can: set by who adds it */
};

#define PLAN_ALWAYS_FIRST INT_MIN
#define PLAN_ALWAYS_LAST  INT_MAX

/* Adds an entry and returns its number, by which plan_buffer finds it. `what` names it in the printed plan and in
 * errors. */
int plan_add(struct plan *plan, uint64_t bytes, int first_step, int last_step, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* An entry that lives always. */
#define plan_add_always(plan, bytes, ...) plan_add(plan, bytes, PLAN_ALWAYS_FIRST, PLAN_ALWAYS_LAST, __VA_ARGS__)

/* An entry that lives always, in the memory of the host: plan_host finds it. It begins as zeros. */
int plan_add_host(struct plan *plan, uint64_t bytes, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Distributes the entries over slots: the largest first, each into the first slot that is free for its whole
 * lifetime. */
nst_status plan_assign(struct plan *plan, nst_error *error);

/* Bytes of all slots. */
uint64_t plan_bytes(const struct plan *plan);
/* Bytes of all entries on the host. */
uint64_t plan_host_bytes(const struct plan *plan);

/* The largest slot: what the device's limit for one allocation must admit. */
uint64_t plan_largest_bytes(const struct plan *plan);

/* True if the host has the memory of its entries, the device has the memory besides what is allocated already, allows the largest allocation, and kernels can
 * count every buffer. What fits is decided here alone. */
bool plan_fits(const struct plan *plan, const nst_context *context);

/* Words the error for a plan that does not fit: what it needs and what the device has. `what` begins the sentence ("512
 * px"), `advice` ends it. */
nst_status plan_fail_too_large(const struct plan *plan, const nst_context *context, const char *what,
                               const char *advice, nst_error *error);

/* Allocates the slots, unless one is uncountable. On failure nothing stays allocated. */
nst_status plan_allocate(struct plan *plan, nst_context *context, nst_error *error);

cl_mem plan_buffer(const struct plan *plan, int entry);
void *plan_host(const struct plan *plan, int entry);

/* A table of the entries, in order of their first step, and the sum. */
void plan_print(const struct plan *plan, FILE *stream);

/* Releases buffers and memory; harmless on a zeroed plan. */
void plan_free(struct plan *plan, nst_context *context);

#endif
