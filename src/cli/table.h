/* table.h: small tables of text, aligned for a terminal or as Markdown. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stdio.h>

enum { TABLE_MOST_COLUMNS = 24, TABLE_CELL_LENGTH = 96 };

struct table {
    int columns, rows;                /* the first row is the heading */
    bool left[TABLE_MOST_COLUMNS];    /* aligned to the left; the others to the right */
    char (*cells)[TABLE_CELL_LENGTH]; /* [rows][columns] */
    int capacity;                     /* rows */
};

/* Begins with a heading: names with | between; one that begins with < is aligned to the left. False without memory; the
 * table can be used nevertheless, and stays empty. */
bool table_begin(struct table *table, const char *heading);
void table_free(struct table *table);

/* Adds an empty row. */
void table_row(struct table *table);
/* Sets a cell of the last row; what is too long is cut off. */
void table_cell(struct table *table, int column, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Columns with two blanks between, each line after `indent` blanks. */
void table_print_text(const struct table *table, int indent, FILE *stream);
void table_print_markdown(const struct table *table, FILE *stream);

#endif
