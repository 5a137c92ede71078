/* table.c: small tables of text; see table.h. */
#include "cli/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool table_begin(struct table *table, const char *heading) {
    *table = (struct table){.columns = 1};
    for (const char *c = heading; *c; c++) {
        table->columns += *c == '|' && table->columns < TABLE_MOST_COLUMNS;
    }
    table_row(table);
    for (int column = 0; column < table->columns; column++) {
        size_t length = strcspn(heading, "|");
        table->left[column] = *heading == '<';
        table_cell(table, column, "%.*s", (int)length - table->left[column], heading + table->left[column]);
        heading += length + (heading[length] == '|');
    }
    return table->cells != NULL;
}

void table_free(struct table *table) {
    free(table->cells);
    *table = (struct table){0};
}

void table_row(struct table *table) {
    if (table->rows == table->capacity) {
        int capacity = table->capacity ? 2 * table->capacity : 16;
        size_t bytes = (size_t)capacity * (size_t)table->columns * sizeof *table->cells;
        void *larger = realloc(table->cells, bytes);
        if (!larger) {
            return;
        }
        table->cells = larger;
        table->capacity = capacity;
    }
    memset(table->cells[table->rows * table->columns], 0, (size_t)table->columns * sizeof *table->cells);
    table->rows++;
}

void table_cell(struct table *table, int column, const char *format, ...) {
    va_list arguments;
    if (table->rows == 0 || column >= table->columns) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(table->cells[(table->rows - 1) * table->columns + column], TABLE_CELL_LENGTH, format, arguments);
    va_end(arguments);
}

static int width_of(const struct table *table, int column) {
    int width = 0;
    for (int row = 0; row < table->rows; row++) {
        int length = (int)strlen(table->cells[row * table->columns + column]);
        width = length > width ? length : width;
    }
    return width;
}

void table_print_text(const struct table *table, int indent, FILE *stream) {
    int widths[TABLE_MOST_COLUMNS];
    for (int column = 0; column < table->columns; column++) {
        widths[column] = width_of(table, column);
    }
    for (int row = 0; row < table->rows; row++) {
        fprintf(stream, "%*s", indent, "");
        for (int column = 0; column < table->columns; column++) {
            const char *cell = table->cells[row * table->columns + column];
            bool last = column + 1 == table->columns;
            int width = table->left[column] ? (last ? 0 : -widths[column]) : widths[column];
            fprintf(stream, "%*s%s", width, cell, last ? "\n" : "  ");
        }
    }
}

void table_print_markdown(const struct table *table, FILE *stream) {
    for (int row = 0; row < table->rows; row++) {
        for (int column = 0; column < table->columns; column++) {
            fputs(column ? " | " : "| ", stream);
            for (const char *c = table->cells[row * table->columns + column]; *c; c++) {
                fprintf(stream, *c == '|' ? "\\%c" : "%c", *c);
            }
        }
        fputs(" |\n", stream);
        for (int column = 0; row == 0 && column < table->columns; column++) {
            fputs(table->left[column] ? "|---" : "|--:", stream);
        }
        if (row == 0) {
            fputs("|\n", stream);
        }
    }
}
