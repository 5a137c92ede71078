/* tuning.h: the table that `nst tune` makes of a device. A row has a key, such as the shape of a convolution, and the
 * choice that was the fastest for it, of those whose results were right. The rooms that read a row say how its key and
 * choice are worded. Where a key is missing, or the whole table, the defaults that are built in hold. */
#ifndef DEVICE_TUNING_H
#define DEVICE_TUNING_H

#include "nst.h"

enum { TUNING_KEY_LENGTH = 80, TUNING_CHOICE_LENGTH = 160 };

struct tuning_row {
    char key[TUNING_KEY_LENGTH];       /* "convolution 3x3, 64 to 128, block 16" */
    char choice[TUNING_CHOICE_LENGTH]; /* "winograd tiles=8 panel=4 rounds=4"; "" for an engine that computed wrongly */
    int64_t time_ns, default_ns;       /* of that choice, and of the one that is built in, measured in the same run */
};

struct tuning_table {
    struct tuning_row *rows;
    int count, capacity;
};

/* One number that an engine is built with, and that is worth tuning. */
struct tuning_parameter {
    const char *name;
    int values[8]; /* those worth trying, all above 0; 0 ends them */
};

/* Reads the device's table; it is empty if there is none that can be trusted. Free with tuning_free. */
void tuning_read(const nst_device_info *device, struct tuning_table *table);
/* Keeps the table for later runs; false if that is not possible. */
bool tuning_write(const nst_device_info *device, const struct tuning_table *table);
void tuning_free(struct tuning_table *table);

/* The row of that key, or NULL. */
const struct tuning_row *tuning_find(const struct tuning_table *table, const char *key);

/* Adds the row, or replaces the one of the same key. Errors: NST_ERROR_MEMORY. */
nst_status tuning_set(struct tuning_table *table, const struct tuning_row *row, nst_error *error);

#endif
