/* batch_outputs.c: where each result of `nst batch` goes; see batch_outputs.h. */
#include "cli/batch_outputs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/output.h"
#include "support/error.h"
#include "support/text.h"

/* ---- Patterns ---------------------------------------------------------------------------------------------------- */

enum placeholder { NAME, FILE_NAME, FOLDER, STYLE, PRESET, EXT, PLACEHOLDERS };
static const char *const placeholders[PLACEHOLDERS] = {"name", "file", "folder", "style", "preset", "ext"};

/* What stands in their places. */
struct values {
    const char *texts[PLACEHOLDERS];
    int lengths[PLACEHOLDERS];
};

/* The placeholder behind a brace, and how long it is with the brace at its end; PLACEHOLDERS: none. */
static enum placeholder find_placeholder(const char *text, size_t *length) {
    size_t name_length = strcspn(text, "{}/");
    *length = name_length + (text[name_length] == '}');
    for (int i = 0; text[name_length] == '}' && i < PLACEHOLDERS; i++) {
        if (strlen(placeholders[i]) == name_length && strncmp(placeholders[i], text, name_length) == 0) {
            return (enum placeholder)i;
        }
    }
    return PLACEHOLDERS;
}

static nst_status fail_placeholder(const char *pattern, const char *at, nst_error *error) {
    size_t length = strcspn(at, "{}/");
    char quoted[64], name[64], hint[64] = "";
    snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), at);
    const char *nearest = text_nearest(name, placeholders, PLACEHOLDERS);
    if (nearest) {
        snprintf(hint, sizeof hint, "; did you mean {%s}?", nearest);
    }
    return fail(
        error, NST_ERROR_ARGUMENT,
        "-o %s: there is no placeholder {%s%s: expected {name}, {file}, {folder}, {style}, {preset} or {ext}, or "
        "{{ for a brace%s",
        option_quote(pattern, quoted, sizeof quoted), name, at[length] == '}' ? "}" : "", hint);
}

/* What is meant by -o as a pattern: a folder gets names as those of `nst stylize`, and keeps folders apart. From malloc. */
static nst_status make_pattern(const char *output, char **pattern, nst_error *error) {
    bool is_folder = output_is_folder(output), ends = *output && output[strlen(output) - 1] == '/';
    size_t size = strlen(output) + 64;
    *pattern = malloc(size);
    if (!*pattern) {
        return fail_memory(error, size, "a file name");
    }
    snprintf(*pattern, size, "%s%s%s", output, is_folder && !ends ? "/" : "",
             is_folder ? "{folder}/{name}-nst.{ext}" : "");
    return NST_OK;
}

/* The most characters that a pattern can become. */
static size_t most_length(const char *pattern, const struct values *values) {
    size_t most = 0, length = strlen(pattern);
    for (int i = 0; i < PLACEHOLDERS; i++) {
        most = (size_t)values->lengths[i] > most ? (size_t)values->lengths[i] : most;
    }
    for (const char *brace = pattern; (brace = strchr(brace, '{')) != NULL; brace++) {
        length += most;
    }
    return length;
}

/* The pattern with the values in their places, up to the first placeholder that has none; from malloc. */
static nst_status expand(const char *pattern, const struct values *values, char **path, nst_error *error) {
    size_t size = most_length(pattern, values) + 1, length;
    char *end = *path = malloc(size);
    if (!end) {
        return fail_memory(error, size, "a file name");
    }
    for (const char *next = pattern; *next;) {
        if (*next != '{' || next[1] == '{') { /* braces are doubled */
            next += (*next == '{' || *next == '}') && next[1] == *next;
            *end++ = *next++;
            continue;
        }
        enum placeholder which = find_placeholder(next + 1, &length);
        if (which == PLACEHOLDERS) {
            free(*path);
            *path = NULL;
            return fail_placeholder(pattern, next + 1, error);
        }
        if (!values->texts[which]) {
            break;
        }
        memcpy(end, values->texts[which], (size_t)values->lengths[which]);
        end += values->lengths[which];
        next += 1 + length;
        /* "out/{folder}/x" without a folder is "out/x". */
        next += values->lengths[which] == 0 && *next == '/' && (end == *path || end[-1] == '/');
    }
    *end = '\0';
    return NST_OK;
}

nst_status batch_outputs_check(const char *output, nst_error *error) {
    struct values empty = {{"", "", "", "", "", ""}, {0}};
    char *pattern = NULL, *path = NULL, quoted[64];
    nst_status status = make_pattern(output, &pattern, error);
    status = status ? status : expand(pattern, &empty, &path, error);
    if (!status && !strstr(pattern, "{name}") && !strstr(pattern, "{file}")) {
        status =
            fail(error, NST_ERROR_ARGUMENT,
                 "-o %s: batch expects a folder, which ends with / if it is new, or a pattern with {name} or {file}",
                 option_quote(output, quoted, sizeof quoted));
    }
    free(pattern);
    free(path);
    return status;
}

nst_status batch_outputs_folder(const char *output, char **folder, nst_error *error) {
    const struct values none = {0};
    char *pattern = NULL;
    *folder = NULL;
    nst_status status = make_pattern(output, &pattern, error);
    status = status ? status : expand(pattern, &none, folder, error);
    free(pattern);
    if (!status) {
        char *slash = strrchr(*folder, '/');
        strcpy(slash ? slash + 1 : *folder, slash ? "" : ".");
    }
    return status;
}

/* ---- For each content -------------------------------------------------------------------------------------------- */

static void set_value(struct values *values, enum placeholder which, const char *text, size_t length) {
    values->texts[which] = text;
    values->lengths[which] = (int)length;
}

static nst_status name_all(const struct batch_options *options, struct batch_contents *contents, nst_error *error) {
    const char *kind = options->common.format ? options->common.format : "png", *preset = options->common.preset;
    struct values values;
    size_t length;
    char *pattern = NULL;
    nst_status status = make_pattern(options->common.output, &pattern, error);
    const char *style = output_base_name(options->common.styles[0], &length);
    set_value(&values, STYLE, style, length);
    set_value(&values, PRESET, preset, strlen(preset));
    set_value(&values, EXT, kind, strlen(kind));
    for (size_t i = 0; !status && i < contents->count; i++) {
        struct batch_content *item = &contents->items[i];
        const char *name = output_base_name(item->path, &length);
        set_value(&values, NAME, name, length);
        set_value(&values, FILE_NAME, name, strlen(name));
        set_value(&values, FOLDER, item->folder, strlen(item->folder));
        if (!item->problem) {
            status = expand(pattern, &values, &item->output, error);
        }
    }
    free(pattern);
    return status;
}

/* A result that is there already. */
struct place {
    dev_t device;
    ino_t number;
    size_t index; /* of its content */
};

static int compare_places(const void *a, const void *b) {
    const struct place *one = a, *other = b;
    if (one->device != other->device) {
        return one->device < other->device ? -1 : 1;
    }
    return one->number < other->number ? -1 : one->number > other->number;
}

static bool find_place(const char *path, struct place *place) {
    struct stat info;
    bool found = path && stat(path, &info) == 0;
    if (found) {
        place->device = info.st_dev;
        place->number = info.st_ino;
    }
    return found;
}

static nst_status fail_overwritten(const struct batch_contents *contents, size_t content, size_t source,
                                   nst_error *error) {
    const char *path = contents->items[content].path;
    if (content == source) {
        return fail(error, NST_ERROR_ARGUMENT, "%s would be written over by its own result: choose another -o", path);
    }
    return fail(error, NST_ERROR_ARGUMENT, "%s is where the result of %s goes: choose another -o", path,
                contents->items[source].path);
}

/* Contents that are results, as of an earlier run into the same folder, lose their output; where one was given itself, or
 * is its own result, that is an error. `places` has room for all. */
static nst_status leave_out_results(struct batch_contents *contents, struct place *places, nst_error *error) {
    size_t count = 0;
    for (size_t i = 0; i < contents->count; i++) {
        places[count].index = i;
        count += find_place(contents->items[i].output, &places[count]);
    }
    qsort(places, count, sizeof *places, compare_places);
    for (size_t i = 0; i < contents->count; i++) {
        struct batch_content *item = &contents->items[i];
        struct place place;
        const struct place *found = item->output && find_place(item->path, &place)
                                        ? bsearch(&place, places, count, sizeof *places, compare_places)
                                        : NULL;
        if (found && (item->is_given || found->index == i)) {
            return fail_overwritten(contents, i, found->index, error);
        }
        if (found) {
            free(item->output);
            item->output = NULL;
        }
    }
    return NST_OK;
}

static int compare_outputs(const void *a, const void *b) {
    const struct batch_content *const *one = a, *const *other = b;
    int order = strcmp((*one)->output, (*other)->output);
    return order ? order : (*one > *other) - (*one < *other);
}

/* `items` has room for all. */
static nst_status check_distinct(const struct batch_contents *contents, const struct batch_content **items,
                                 nst_error *error) {
    size_t count = 0;
    for (size_t i = 0; i < contents->count; i++) {
        items[count] = &contents->items[i];
        count += contents->items[i].output != NULL;
    }
    qsort(items, count, sizeof *items, compare_outputs);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(items[i - 1]->output, items[i]->output) == 0) {
            return fail(error, NST_ERROR_ARGUMENT,
                        "%s and %s would both be painted into %s: use {file} or {folder} in -o, or two runs",
                        items[i - 1]->path, items[i]->path, items[i]->output);
        }
    }
    return NST_OK;
}

nst_status batch_outputs_find(const struct batch_options *options, struct batch_contents *contents, nst_error *error) {
    if (contents->count == 0) {
        return NST_OK;
    }
    nst_status status = name_all(options, contents, error);
    struct place *places = calloc(contents->count, sizeof *places);
    const struct batch_content **items = calloc(contents->count, sizeof *items);
    if (!status && (!places || !items)) {
        status = fail_memory(error, contents->count * sizeof *places, "the list of contents");
    }
    status = status ? status : leave_out_results(contents, places, error);
    status = status ? status : check_distinct(contents, items, error);
    free(places);
    free(items);
    return status;
}
