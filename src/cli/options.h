/* options.h: the options of a command as data. One table makes the parser, the help, and the record in the picture. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "nst.h"

/* What an option's value is, and the C type of the field in which it is stored. */
enum option_kind {
    OPTION_HELP,     /* nothing is stored: asks for the help of the command */
    OPTION_FLAG,     /* bool; takes no argument */
    OPTION_INTEGER,  /* int */
    OPTION_SEED,     /* uint64_t */
    OPTION_BYTES,    /* uint64_t: a whole number, with or without KiB, MiB, GiB or TiB behind it */
    OPTION_REAL,     /* double */
    OPTION_DURATION, /* double, in seconds: 90, 90s, 1.5min, 2h */
    OPTION_CHOICE,   /* int or an enum: the value of one of `choices` */
    OPTION_TEXT,     /* const char *, which points into the command line; one of `choices` if there are any */
    OPTION_TEXTS,    /* const char *[capacity], one for each time that it is given, and an int at count_offset */
    OPTION_INTEGERS, /* int[capacity], and an int at count_offset */
    OPTION_REALS,    /* double[capacity], and an int at count_offset */
    OPTION_LAYERS    /* nst_layer_list */
};

/* One word that an option accepts, and what it stands for; a list of them ends with a NULL name. */
struct option_choice {
    const char *name;
    int value;
};

/* For --precision: an nst_precision; for --input-convention, which is stored as text. */
extern const struct option_choice precision_choices[], convention_choices[];

struct option {
    const char *name;     /* long name, without dashes */
    char letter;          /* short name, or 0 */
    const char *argument; /* what the help calls its value; NULL for a flag */
    const char *group;    /* heading in the help; NULL: that of the option before */
    enum option_kind kind;
    size_t offset;       /* of the field, in the struct of the command's values */
    size_t count_offset; /* lists: of the field that counts */
    int capacity;        /* lists: length of the field */
    double minimum, maximum;
    const char *zero; /* a word that stands for 0 ("auto"), or NULL */
    const struct option_choice *choices;
    const char *help;
    bool recorded; /* makes the picture what it is: kept with it */
    bool single;   /* of one picture: a command that paints several has no such option, or one of its own */
};

struct option_table {
    const struct option *options;
    size_t count;
    const struct option_table *base; /* whose options the command has besides; NULL: none */
};

/* The options of the table, and behind them those of its base; NULL behind the last. Of two of the same name the first
 * is meant. */
const struct option *option_at(const struct option_table *table, size_t index);

/* A command line taken apart, its values still text. */
struct arguments {
    int argc; /* the whole command line, for the record */
    char **argv;
    struct option_given {
        const struct option *option;
        const char *text; /* NULL for a flag */
    } * given;            /* in the order typed */
    size_t given_count;
    char **operands; /* what is not an option */
    int operand_count;
    bool help; /* an OPTION_HELP was among them */
};

/* Takes argv[first..argc) apart: --name VALUE, --name=VALUE, -x VALUE, -xVALUE, several flags behind one dash, options
 * anywhere among the operands, -- before operands that begin with a dash. Free with arguments_free.
 * Errors: NST_ERROR_ARGUMENT (unknown option: the message suggests the nearest; value missing or not wanted). */
nst_status arguments_parse(struct option_table table, int argc, char **argv, int first, struct arguments *arguments,
                           nst_error *error);
void arguments_free(struct arguments *arguments);

/* The text given for the option of that name, the last one if it was given several times; NULL if it was not. */
const char *arguments_text(const struct arguments *arguments, const char *name);

/* Converts every value given and stores it in its field of `values`. Errors: NST_ERROR_ARGUMENT. */
nst_status arguments_store(const struct arguments *arguments, void *values, nst_error *error);

/* The value of an option's field as it would be typed, "" if there is none; into `buffer`, which is returned. */
const char *option_format(const struct option *option, const void *values, char *buffer, size_t size);

/* A text from the command line for a message: shortened, on one line; into `buffer`, which is returned. */
const char *option_quote(const char *text, char *buffer, size_t size);

#endif
