/* tuning.c: the table of tuned choices as lines of text, fields separated by tabs; see tuning.h. */
#include "device/tuning.h"

#include "device/findings.h"
#include "support/error.h"
#include "support/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 4, LINE_LENGTH = 320 };

/* Takes a line apart, which is changed. */
static bool parse_row(char *line, struct tuning_row *row) {
    char *fields[FIELDS];
    for (int i = 0; i < FIELDS; ++i) {
        char *end = line ? strchr(line, '\t') : NULL;
        if (!line || (i + 1 < FIELDS) != (end != NULL)) {
            return false;
        }
        fields[i] = line;
        line = end ? end + 1 : NULL;
        if (end) {
            *end = 0;
        }
    }
    long long time_ns, default_ns;
    if (!*fields[0] || strlen(fields[0]) >= sizeof row->key || strlen(fields[1]) >= sizeof row->choice ||
        !text_to_integer(fields[2], &time_ns) || !text_to_integer(fields[3], &default_ns)) {
        return false;
    }
    *row = (struct tuning_row){.time_ns = time_ns, .default_ns = default_ns};
    strcpy(row->key, fields[0]);
    strcpy(row->choice, fields[1]);
    return true;
}

void tuning_read(const nst_device_info *device, struct tuning_table *table) {
    *table = (struct tuning_table){0};
    char *text = findings_read(device, FINDINGS_TUNING);
    bool good = text != NULL;
    for (char *line = text; good && *line;) {
        char *end = strchr(line, '\n');
        struct tuning_row row;
        good = end != NULL;
        if (good) {
            *end = 0;
            good = parse_row(line, &row) && !tuning_set(table, &row, NULL);
            line = end + 1;
        }
    }
    if (!good) {
        tuning_free(table);
    }
    free(text);
}

bool tuning_write(const nst_device_info *device, const struct tuning_table *table) {
    size_t size = (size_t)table->count * LINE_LENGTH + 1, used = 0;
    char *text = calloc(size, 1);
    for (int i = 0; text && i < table->count; ++i) {
        const struct tuning_row *row = &table->rows[i];
        used += (size_t)snprintf(text + used, size - used, "%s\t%s\t%" PRId64 "\t%" PRId64 "\n", row->key, row->choice,
                                 row->time_ns, row->default_ns);
    }
    bool written = text && findings_write(device, FINDINGS_TUNING, used ? text : NULL);
    free(text);
    return written;
}

void tuning_free(struct tuning_table *table) {
    free(table->rows);
    *table = (struct tuning_table){0};
}

const struct tuning_row *tuning_find(const struct tuning_table *table, const char *key) {
    for (int i = 0; i < table->count; ++i) {
        if (strcmp(table->rows[i].key, key) == 0) {
            return &table->rows[i];
        }
    }
    return NULL;
}

nst_status tuning_set(struct tuning_table *table, const struct tuning_row *row, nst_error *error) {
    for (int i = 0; i < table->count; ++i) {
        if (strcmp(table->rows[i].key, row->key) == 0) {
            table->rows[i] = *row;
            return NST_OK;
        }
    }
    if (table->count == table->capacity) {
        int capacity = table->capacity ? 2 * table->capacity : 64;
        struct tuning_row *larger = realloc(table->rows, (size_t)capacity * sizeof *larger);
        if (!larger) {
            return fail_memory(error, (size_t)capacity * sizeof *larger, "the tuning of a device");
        }
        table->rows = larger;
        table->capacity = capacity;
    }
    table->rows[table->count++] = *row;
    return NST_OK;
}
