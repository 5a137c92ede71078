/* help.c: prints what a command does and its options, from the tables. */
#include "cli/help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_COLUMN = 31, HELP_WIDTH = 99 };

/* Prints words from HELP_COLUMN on, in as many lines as they need; the cursor is at `column`. */
static void print_wrapped(const char *text, size_t column, FILE *stream) {
    bool line_begins = true;
    while (*text) {
        size_t length = strcspn(text, " "), room = HELP_WIDTH - column;
        if (line_begins && length > room) { /* a list longer than a line is broken behind a comma */
            length = room;
            while (length > 1 && text[length - 1] != ',') {
                length--;
            }
        }
        if (!line_begins && length + 1 > room) {
            fprintf(stream, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
            line_begins = true;
            continue;
        }
        fprintf(stream, "%s%.*s", line_begins ? "" : " ", (int)length, text);
        column += length + !line_begins;
        text += length;
        line_begins = false;
        text += strspn(text, " ");
    }
    fputc('\n', stream);
}

static void print_option(const struct option *option, const void *values, FILE *stream) {
    char left[64], value[1024] = "", text[1536];
    char letter[8] = "    ";
    if (option->letter) {
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    }
    int length =
        snprintf(left, sizeof left, "  %s--%s %s", letter, option->name, option->argument ? option->argument : "");
    if (values) {
        option_format(option, values, value, sizeof value);
    }
    snprintf(text, sizeof text, *value ? "%s [%s]" : "%s", option->help, value);
    fprintf(stream, "%-*s", HELP_COLUMN, left);
    size_t column = length < HELP_COLUMN ? HELP_COLUMN : (size_t)length;
    if (length >= HELP_COLUMN) {
        fputc(' ', stream);
        column++;
    }
    print_wrapped(text, column, stream);
}

static void print_options(const struct command *command, FILE *stream) {
    void *values = command->set_defaults ? calloc(1, command->values_size) : NULL;
    if (values && command->set_defaults(values, NULL, NULL)) {
        free(values);
        values = NULL;
    }
    const struct option *option;
    for (size_t i = 0; (option = option_at(command->table, i)) != NULL; i++) {
        if (option->single && i >= command->table->count) { /* of another command only */
            continue;
        }
        if (option->group) {
            fprintf(stream, "%s:\n", option->group);
        }
        print_option(option, values, stream);
    }
    free(values);
}

void help_command(const struct command *command, FILE *stream) {
    fprintf(stream, "nst %s %s\n%s\n", command->name, command->usage, command->summary);
    if (command->details) {
        fprintf(stream, "%s\n", command->details);
    }
    fprintf(stream, "\n");
    print_options(command, stream);
}

/* " --size=512 --scales=auto ..." behind what `text` holds. */
static void append_main_options(const struct option_table *table, const void *values, char *text, size_t size) {
    static const char *const names[] = {"size",           "scales",       "iterations", "optimizer", "init",
                                        "content-weight", "style-weight", "tv-weight",  "pooling",   "network"};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        for (size_t i = 0; i < table->count; i++) {
            char value[256];
            size_t used = strlen(text);
            if (strcmp(table->options[i].name, names[n]) == 0) {
                option_format(&table->options[i], values, value, sizeof value);
                snprintf(text + used, size - used, " --%s=%s", names[n], value);
            }
        }
    }
}

void help_presets(const struct command *command, FILE *stream) {
    nst_preset preset;
    fprintf(stream, "nst ... --preset NAME: what is minimized, how pictures are prepared, how the image is optimized.\n"
                    "A preset sets the defaults of the other options, of which these are the main ones.\n\n");
    for (int i = 0; nst_preset_at(i, &preset); i++) {
        char left[64], text[1024];
        void *values = calloc(1, command->values_size);
        snprintf(left, sizeof left, "  %s%s", preset.name, i == 0 ? " (default)" : "");
        snprintf(text, sizeof text, "%s:", preset.summary);
        if (values && !command->set_defaults(values, preset.name, NULL)) {
            append_main_options(command->table, values, text, sizeof text);
        }
        fprintf(stream, "%-*s", HELP_COLUMN, left);
        print_wrapped(text, HELP_COLUMN, stream);
        free(values);
    }
}

void help_program(const struct command *const *commands, size_t count, FILE *stream) {
    fprintf(stream, "nst %s: neural style transfer on any OpenCL device\n\n", NST_VERSION);
    fprintf(stream, "nst [%s] %s\n", commands[0]->name, commands[0]->usage);
    for (size_t i = 1; i < count; i++) {
        fprintf(stream, "nst %s %-*s %s\n", commands[i]->name, 36 - (int)strlen(commands[i]->name), commands[i]->usage,
                commands[i]->summary);
    }
    fprintf(stream, "nst %-37s %s\nnst %-37s %s\n\n", "help [COMMAND|presets]",
            "print this, the help of a command, or the presets", "--version", "print the version");
    print_options(commands[0], stream);
}
