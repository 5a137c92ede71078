/* plan.c: the memory plan; see plan.h. */
#include "device/plan.h"

#include "support/error.h"
#include "support/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int add(struct plan *plan, const struct plan_entry *added, const char *format, va_list list) {
    if (plan->entry_count == plan->entry_capacity) {
        int capacity = plan->entry_capacity ? 2 * plan->entry_capacity : 64;
        struct plan_entry *entries = realloc(plan->entries, (size_t)capacity * sizeof *entries);
        if (!entries) {
            plan->out_of_memory = true;
            return 0;
        }
        plan->entries = entries;
        plan->entry_capacity = capacity;
    }
    struct plan_entry *entry = &plan->entries[plan->entry_count];
    *entry = *added;
    vsnprintf(entry->what, sizeof entry->what, format, list);
    return plan->entry_count++;
}

int plan_add(struct plan *plan, uint64_t bytes, int first_step, int last_step, const char *format, ...) {
    const struct plan_entry entry = {.bytes = bytes, .first_step = first_step, .last_step = last_step, .slot = -1};
    va_list list;
    va_start(list, format);
    int number = add(plan, &entry, format, list);
    va_end(list);
    return number;
}

int plan_add_host(struct plan *plan, uint64_t bytes, const char *format, ...) {
    const struct plan_entry entry = {
        .bytes = bytes, .first_step = PLAN_ALWAYS_FIRST, .last_step = PLAN_ALWAYS_LAST, .slot = -1, .on_host = true};
    va_list list;
    va_start(list, format);
    int number = add(plan, &entry, format, list);
    va_end(list);
    return number;
}

/* Larger entries first; the order of adding decides among equals, so that a plan is the same at every run. */
static int compare_bytes(const void *a, const void *b) {
    const struct plan_entry *x = *(struct plan_entry *const *)a, *y = *(struct plan_entry *const *)b;
    if (x->bytes != y->bytes) {
        return x->bytes < y->bytes ? 1 : -1;
    }
    return x < y ? -1 : x > y;
}

static int compare_first_step(const void *a, const void *b) {
    const struct plan_entry *x = *(struct plan_entry *const *)a, *y = *(struct plan_entry *const *)b;
    if (x->first_step != y->first_step) {
        return x->first_step < y->first_step ? -1 : 1;
    }
    return x < y ? -1 : x > y;
}

static struct plan_entry **sorted_entries(const struct plan *plan, int compare(const void *, const void *)) {
    struct plan_entry **order = malloc(((size_t)plan->entry_count + 1) * sizeof *order);
    if (order) {
        for (int i = 0; i < plan->entry_count; ++i) {
            order[i] = &plan->entries[i];
        }
        qsort(order, (size_t)plan->entry_count, sizeof *order, compare);
    }
    return order;
}

static bool overlap(const struct plan_entry *a, const struct plan_entry *b) {
    return a->first_step <= b->last_step && b->first_step <= a->last_step;
}

static bool slot_is_free(const struct plan *plan, int slot, const struct plan_entry *wanted) {
    for (int i = 0; i < plan->entry_count; ++i) {
        if (plan->entries[i].slot == slot && overlap(&plan->entries[i], wanted)) {
            return false;
        }
    }
    return true;
}

nst_status plan_assign(struct plan *plan, nst_error *error) {
    struct plan_entry **order = plan->out_of_memory ? NULL : sorted_entries(plan, compare_bytes);
    struct plan_slot *slots = calloc((size_t)plan->entry_count + 1, sizeof *slots);
    if (!order || !slots) {
        free(order);
        free(slots);
        return fail_memory(error, (size_t)plan->entry_count * sizeof *slots, "the memory plan");
    }
    free(plan->slots);
    plan->slots = slots;
    plan->slot_count = 0;
    for (int i = 0; i < plan->entry_count; ++i) {
        plan->entries[i].slot = -1;
    }
    for (int i = 0; i < plan->entry_count; ++i) {
        int slot = 0;
        if (order[i]->on_host) {
            continue;
        }
        while (slot < plan->slot_count && !slot_is_free(plan, slot, order[i])) {
            ++slot;
        }
        if (slot == plan->slot_count) {
            plan->slots[plan->slot_count++].bytes = order[i]->bytes;
        }
        order[i]->slot = slot;
    }
    free(order);
    return NST_OK;
}

uint64_t plan_bytes(const struct plan *plan) {
    uint64_t sum = 0;
    for (int i = 0; i < plan->slot_count; ++i) {
        sum += plan->slots[i].bytes;
    }
    return sum;
}

uint64_t plan_host_bytes(const struct plan *plan) {
    uint64_t sum = 0;
    for (int i = 0; i < plan->entry_count; ++i) {
        sum += plan->entries[i].on_host ? plan->entries[i].bytes : 0;
    }
    return sum;
}

uint64_t plan_largest_bytes(const struct plan *plan) {
    uint64_t largest = 0;
    for (int i = 0; i < plan->slot_count; ++i) {
        largest = plan->slots[i].bytes > largest ? plan->slots[i].bytes : largest;
    }
    return largest;
}

static uint64_t limit_of(const struct plan *plan, const nst_context *context) {
    uint64_t device = context->info.memory_bytes, limit = plan->limit_bytes;
    return limit > 0 && limit < device ? limit : device;
}

/* Of the machine, free or not. */
static uint64_t host_memory_bytes(void) {
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : UINT64_MAX;
}

bool plan_fits(const struct plan *plan, const nst_context *context) {
    return !plan->is_uncountable && plan_host_bytes(plan) <= host_memory_bytes() &&
           plan_bytes(plan) + context->allocated_bytes <= limit_of(plan, context) &&
           plan_largest_bytes(plan) <= context->info.largest_allocation_bytes;
}

nst_status plan_fail_too_large(const struct plan *plan, const nst_context *context, const char *what,
                               const char *advice, nst_error *error) {
    const nst_device_info *device = &context->info;
    char needed[32], total[32], largest_needed[32], largest[32];
    if (plan->is_uncountable) {
        return fail(error, NST_ERROR_MEMORY,
                    "%s need feature maps of 2^31 elements or more, too many for any memory: %s", what, advice);
    }
    if (plan_host_bytes(plan) > host_memory_bytes()) {
        return fail(error, NST_ERROR_MEMORY, "%s need %s of the host's memory, which has %s: ask for a smaller picture",
                    what, text_bytes(plan_host_bytes(plan), needed, sizeof needed),
                    text_bytes(host_memory_bytes(), total, sizeof total));
    }
    return fail(error, NST_ERROR_MEMORY,
                "%s need %s of device memory, %s of it in one piece, but on %s %s may be used, and %s in one piece: %s",
                what, text_bytes(plan_bytes(plan) + context->allocated_bytes, needed, sizeof needed),
                text_bytes(plan_largest_bytes(plan), largest_needed, sizeof largest_needed), device->name,
                text_bytes(limit_of(plan, context), total, sizeof total),
                text_bytes(device->largest_allocation_bytes, largest, sizeof largest), advice);
}

static const char *name_of_slot(const struct plan *plan, int slot) {
    const struct plan_entry *largest = NULL;
    for (int i = 0; i < plan->entry_count; ++i) {
        if (plan->entries[i].slot == slot && (!largest || plan->entries[i].bytes > largest->bytes)) {
            largest = &plan->entries[i];
        }
    }
    return largest ? largest->what : "a buffer";
}

static void release_memory(struct plan *plan, nst_context *context) {
    for (int i = 0; i < plan->slot_count; ++i) {
        buffer_release(context, &plan->slots[i].buffer);
    }
    for (int i = 0; i < plan->entry_count; ++i) {
        free(plan->entries[i].host);
        plan->entries[i].host = NULL;
    }
}

static nst_status allocate_on_host(struct plan *plan, nst_error *error) {
    for (int i = 0; i < plan->entry_count; ++i) {
        struct plan_entry *entry = &plan->entries[i];
        if (!entry->on_host) {
            continue;
        }
        entry->host = entry->bytes < SIZE_MAX ? calloc(1, (size_t)entry->bytes + 1) : NULL;
        if (!entry->host) {
            char bytes[32];
            return fail(error, NST_ERROR_MEMORY, "no memory on the host for %s (%s): ask for a smaller picture",
                        entry->what, text_bytes(entry->bytes, bytes, sizeof bytes));
        }
    }
    return NST_OK;
}

nst_status plan_allocate(struct plan *plan, nst_context *context, nst_error *error) {
    if (plan->is_uncountable) {
        return fail(error, NST_ERROR_MEMORY, "a buffer would have 2^31 elements or more: ask for a smaller picture");
    }
    for (int i = 0; i < plan->slot_count; ++i) {
        if (plan->slots[i].bytes == 0) {
            continue;
        }
        nst_status status =
            buffer_create(context, (size_t)plan->slots[i].bytes, name_of_slot(plan, i), &plan->slots[i].buffer, error);
        if (status) {
            release_memory(plan, context);
            return status;
        }
    }
    nst_status status = allocate_on_host(plan, error);
    if (status) {
        release_memory(plan, context);
    }
    return status;
}

cl_mem plan_buffer(const struct plan *plan, int entry) {
    return plan->slots[plan->entries[entry].slot].buffer;
}

void *plan_host(const struct plan *plan, int entry) {
    return plan->entries[entry].host;
}

void plan_print(const struct plan *plan, FILE *stream) {
    struct plan_entry **order = sorted_entries(plan, compare_first_step);
    if (!order) {
        return;
    }
    fprintf(stream, "%-40s %14s %8s %12s\n", "what", "bytes", "buffer", "steps");
    for (int i = 0; i < plan->entry_count; ++i) {
        const struct plan_entry *entry = order[i];
        char steps[32] = "always";
        if (entry->first_step != PLAN_ALWAYS_FIRST) {
            snprintf(steps, sizeof steps, "%d - %d", entry->first_step, entry->last_step);
        }
        char buffer[16] = "host";
        if (!entry->on_host) {
            snprintf(buffer, sizeof buffer, "%d", entry->slot);
        }
        fprintf(stream, "%-40s %14llu %8s %12s\n", entry->what, (unsigned long long)entry->bytes, buffer, steps);
    }
    char text[32];
    fprintf(stream, "%-40s %14llu (%s in %d buffers)\n", "together", (unsigned long long)plan_bytes(plan),
            text_bytes(plan_bytes(plan), text, sizeof text), plan->slot_count);
    if (plan_host_bytes(plan) > 0) {
        fprintf(stream, "%-40s %14llu (%s)\n", "on the host", (unsigned long long)plan_host_bytes(plan),
                text_bytes(plan_host_bytes(plan), text, sizeof text));
    }
    free(order);
}

void plan_free(struct plan *plan, nst_context *context) {
    release_memory(plan, context);
    free(plan->slots);
    free(plan->entries);
    *plan = (struct plan){0};
}
