/* tuning.h: the table that `nst tune` makes of a device: for each piece of work the choice that was fastest, of those
 * whose results were right. The rooms that do the work say how work and choice are worded; a table that lacks a piece
 * of work, or is not there at all, leaves it to the defaults that are built in. */
#ifndef DEVICE_TUNING_H
#define DEVICE_TUNING_H

#include "nst.h"

enum { TUNING_WORK_LENGTH = 80, TUNING_CHOICE_LENGTH = 160 };

struct tuning_row {
    char work[TUNING_WORK_LENGTH];     /* "convolution 3x3, 64 to 128, block 16" */
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

/* The row for that work, or NULL. */
const struct tuning_row *tuning_find(const struct tuning_table *table, const char *work);

/* Adds the row, or replaces the one for the same work. Errors: NST_ERROR_MEMORY. */
nst_status tuning_set(struct tuning_table *table, const struct tuning_row *row, nst_error *error);

#endif
