/* bench_columns.c: a device of a report, as a column of a comparison. */
#include "cli/bench.h"

const struct bench_row *bench_column_row(const struct bench_column *column, int size_px) {
    for (int i = 0; i < column->device->row_count; i++) {
        if (column->device->rows[i].size_px == size_px) {
            return &column->device->rows[i];
        }
    }
    return NULL;
}

const char *bench_column_name(const struct bench_column *column, char *buffer, size_t size) {
    const nst_device_info *info = &column->device->info;
    snprintf(buffer, size, "%s, %s %s%s",
             *info->board  ? info->board
             : *info->name ? info->name
                           : "unknown device",
             *info->platform ? info->platform : "unknown platform", info->driver,
             column->device->precision == NST_PRECISION_HALF ? ", half precision" : "");
    return buffer;
}
