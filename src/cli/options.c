/* options.c: takes a command line apart by a table of options. What the values mean is in option_value.c. */
#include "cli/options.h"

#include <stdlib.h>
#include <string.h>

#include "support/error.h"
#include "support/text.h"

enum { QUOTE_LENGTH = 64 };

const char *option_quote(const char *text, char *buffer, size_t size) {
    size_t length = 0;
    for (; text[length] && length + 4 < size; length++) {
        buffer[length] = (unsigned char)text[length] < ' ' || text[length] == 127 ? '?' : text[length];
    }
    buffer[length] = '\0';
    if (text[length]) {
        memcpy(buffer + length, "...", 4);
    }
    return buffer;
}

const struct option *option_at(const struct option_table *table, size_t index) {
    for (; table; table = table->base) {
        if (index < table->count) {
            return &table->options[index];
        }
        index -= table->count;
    }
    return NULL;
}

/* The option whose long name is the `length` characters at `name`; underscores count as dashes if `loosely`. */
static const struct option *find_long(struct option_table table, const char *name, size_t length, bool loosely) {
    const struct option *option;
    for (size_t i = 0; (option = option_at(&table, i)) != NULL; i++) {
        const char *known = option->name;
        size_t same = 0;
        while (same < length && known[same] &&
               (known[same] == name[same] || (loosely && name[same] == '_' && known[same] == '-'))) {
            same++;
        }
        if (same == length && !known[same]) {
            return option;
        }
    }
    return NULL;
}

static const struct option *find_short(struct option_table table, char letter) {
    const struct option *option;
    size_t i = 0;
    while ((option = option_at(&table, i)) != NULL && option->letter != letter) {
        i++;
    }
    return option;
}

/* The long name that was probably meant: the right one but for underscores, one that begins so, or the nearest. */
static const char *suggest(struct option_table table, const char *given) {
    size_t length = strlen(given);
    const struct option *same = find_long(table, given, length, true);
    if (same) {
        return same->name;
    }
    size_t count = 0;
    for (const struct option *option; (option = option_at(&table, count)) != NULL; count++) {
        if (length >= 3 && strncmp(option->name, given, length) == 0) {
            return option->name;
        }
    }
    const char **names = count > 0 ? malloc(count * sizeof *names) : NULL;
    if (!names) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        names[i] = option_at(&table, i)->name;
    }
    const char *nearest = text_nearest(given, names, count);
    free(names);
    return nearest;
}

/* Words the error for the unknown option `argument`, dashes included. */
static nst_status fail_unknown(struct option_table table, const char *argument, nst_error *error) {
    char quoted[QUOTE_LENGTH], name[QUOTE_LENGTH];
    option_quote(argument, quoted, sizeof quoted);
    char *equals = strchr(quoted, '=');
    if (equals) {
        *equals = '\0';
    }
    strcpy(name, quoted + strspn(quoted, "-"));
    const char *nearest = suggest(table, name);
    if (nearest) {
        return fail(error, NST_ERROR_ARGUMENT, "unknown option '%s'; did you mean --%s?", quoted, nearest);
    }
    return fail(error, NST_ERROR_ARGUMENT, "unknown option '%s'; --help lists them", quoted);
}

/* Where the parser is in the command line. */
struct parser {
    struct option_table table;
    struct arguments *arguments;
    int next; /* index of the argument to be read next */
};

/* Notes an option. `text` is what stood behind it in the same argument, or NULL: then a value is the next argument. */
static nst_status take(struct parser *parser, const struct option *option, const char *text, nst_error *error) {
    struct arguments *arguments = parser->arguments;
    if (!option->argument && text) {
        return fail(error, NST_ERROR_ARGUMENT, "--%s takes no value", option->name);
    }
    if (option->argument && !text) {
        if (parser->next == arguments->argc) {
            return fail(error, NST_ERROR_ARGUMENT, "--%s: expected its value %s, found nothing", option->name,
                        option->argument);
        }
        text = arguments->argv[parser->next++];
        if (strncmp(text, "--", 2) == 0 && find_long(parser->table, text + 2, strcspn(text + 2, "="), false)) {
            return fail(error, NST_ERROR_ARGUMENT, "--%s: expected its value %s, found the option %.*s", option->name,
                        option->argument, (int)strcspn(text, "="), text);
        }
    }
    if (option->kind == OPTION_HELP) {
        arguments->help = true;
    }
    arguments->given[arguments->given_count++] = (struct option_given){option, text};
    return NST_OK;
}

static nst_status parse_long(struct parser *parser, const char *argument, nst_error *error) {
    const char *name = argument + 2, *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const struct option *option = find_long(parser->table, name, length, false);
    if (!option) {
        return fail_unknown(parser->table, argument, error);
    }
    return take(parser, option, equals ? equals + 1 : NULL, error);
}

static nst_status parse_short(struct parser *parser, const char *argument, nst_error *error) {
    /* "-size 512" is a long option with a dash too few, as other programs spell theirs, not -s with the value "ize". */
    const char *name = argument + 1;
    if (name[1] && find_long(parser->table, name, strcspn(name, "="), true)) {
        return fail_unknown(parser->table, argument, error);
    }
    for (const char *letter = name; *letter; letter++) {
        const struct option *option = find_short(parser->table, *letter);
        if (!option) {
            return fail_unknown(parser->table, argument, error);
        }
        if (option->argument) {
            return take(parser, option, letter[1] ? letter + 1 : NULL, error);
        }
        nst_status status = take(parser, option, NULL, error);
        if (status) {
            return status;
        }
    }
    return NST_OK;
}

nst_status arguments_parse(struct option_table table, int argc, char **argv, int first, struct arguments *arguments,
                           nst_error *error) {
    /* A group of letters holds at most as many options as it has characters. */
    size_t most = 1;
    for (int i = first; i < argc; i++) {
        most += strlen(argv[i]) + 1;
    }
    *arguments = (struct arguments){.argc = argc, .argv = argv};
    arguments->given = calloc(most, sizeof *arguments->given);
    arguments->operands = calloc((size_t)argc + 1, sizeof *arguments->operands);
    nst_status status = NST_OK;
    if (!arguments->given || !arguments->operands) {
        status = fail_memory(error, most * sizeof *arguments->given, "the command line");
    }

    struct parser parser = {table, arguments, first};
    bool options_end = false;
    while (!status && parser.next < argc) {
        char *argument = argv[parser.next++];
        if (options_end || argument[0] != '-' || !argument[1]) {
            arguments->operands[arguments->operand_count++] = argument;
        } else if (strcmp(argument, "--") == 0) {
            options_end = true;
        } else if (argument[1] == '-') {
            status = parse_long(&parser, argument, error);
        } else {
            status = parse_short(&parser, argument, error);
        }
    }
    if (status) {
        arguments_free(arguments);
    }
    return status;
}

void arguments_free(struct arguments *arguments) {
    free(arguments->given);
    free(arguments->operands);
    *arguments = (struct arguments){0};
}

const char *arguments_text(const struct arguments *arguments, const char *name) {
    for (size_t i = arguments->given_count; i-- > 0;) {
        if (strcmp(arguments->given[i].option->name, name) == 0) {
            return arguments->given[i].text;
        }
    }
    return NULL;
}
