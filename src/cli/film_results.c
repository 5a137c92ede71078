/* film_results.c: where the results of `nst film` are; see film_results.h. */
#include "cli/film_results.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/film_pipe.h"
#include "cli/frame_names.h"
#include "cli/output.h"
#include "cli/record.h"
#include "support/error.h"
#include "support/file.h"

/* Two texts as one, from malloc. */
static nst_status join(const char *a, const char *b, char **text, nst_error *error) {
    size_t size = strlen(a) + strlen(b) + 1;
    *text = malloc(size);
    if (!*text) {
        return fail_memory(error, size, "a file name");
    }
    snprintf(*text, size, "%s%s", a, b);
    return NST_OK;
}

/* ---- What the frames were made with ------------------------------------------------------------------------------ */

/* From malloc; NULL without memory. */
static char *describe(const struct film_options *options) {
    const struct stylize_options *common = &options->common;
    char *own = record_settings(film_table, options), *settings = record_settings(stylize_table, common);
    char *names = record_command_line(common->style_count, (char *const *)common->styles);
    size_t size =
        own && settings && names ? strlen(own) + strlen(settings) + strlen(names) + strlen(common->content) + 8 : 0;
    char *text = size ? malloc(size) : NULL;
    if (text) {
        snprintf(text, size, "%s\n%s\n%s\n%s\n", common->content, names, own, settings);
    }
    free(own);
    free(settings);
    free(names);
    return text;
}

static nst_status write_text(const char *path, const char *text, nst_error *error) {
    struct file_replacement file;
    nst_status status = file_replacement_begin(&file, path, error);
    if (!status) {
        fputs(text, file.stream);
        status = file_replacement_commit(&file, error);
    }
    return status;
}

/* Compares with what is written there, or writes it. */
static nst_status check_same(const struct film_options *options, const char *folder, nst_error *error) {
    enum { MOST_BYTES = 1 << 20 };
    char *path, *text = describe(options);
    unsigned char *found = NULL;
    size_t bytes;
    if (!text) {
        return fail_memory(error, 1024, "the settings of the film");
    }
    nst_status status = join(folder, "/settings.txt", &path, error);
    if (!status && !file_exists(path)) {
        status = write_text(path, text, error);
    } else if (!status) {
        status = file_read(path, "settings", MOST_BYTES, &found, &bytes, error);
        if (!status && strcmp((const char *)found, text) != 0) {
            status = fail(error, NST_ERROR_ARGUMENT,
                          "%s has frames that were made with other options or pictures: repeat that command, or remove "
                          "the folder",
                          folder);
        }
    }
    free(found);
    free(path);
    free(text);
    return status;
}

/* ---- Beginning --------------------------------------------------------------------------------------------------- */

static nst_status begin_film(const struct film_options *options, struct film_results *results, nst_error *error) {
    const char *output = options->common.output, *slash = strrchr(output, '/'),
               *ending = strrchr(slash ? slash : output, '.');
    nst_status status = join(output, ".frames", &results->folder, error);
    status = status ? status : join(results->folder, "/%06d.png", &results->pattern, error);
    status = status ? status : join(results->folder, "/whole", &results->film, error);
    if (!status && ending) {
        char *film = results->film;
        status = join(film, ending, &results->film, error);
        free(film);
    }
    bool was_there = !status && file_exists(results->folder);
    status = status ? status : file_make_folders(results->folder, error);
    status = status ? status : check_same(options, results->folder, error);
    if (!status && film_write_check(results->film, error)) {
        status = NST_ERROR_FILE;
        if (!was_there) { /* nothing is left behind */
            film_results_end(results, NULL, 1, 0, NULL);
        }
    }
    return status;
}

static nst_status begin_frames(const struct film_options *options, struct film_results *results, nst_error *error) {
    const char *output = options->common.output;
    const nst_picture_format format = {.kind = options->common.format, .depth_bits = options->common.depth_bits};
    nst_status status = join(output, "", &results->pattern, error);
    status = status ? status : file_make_folder_of(output, error);
    return status ? status : nst_picture_check_writable(output, &format, error);
}

nst_status film_results_begin(const struct film_options *options, struct film_results *results, nst_error *error) {
    const nst_settings *settings = &options->common.settings;
    *results =
        (struct film_results){.keeps_paintings = settings->original_colors || settings->colors == NST_COLORS_CONTENT ||
                                                 settings->colors == NST_COLORS_PALETTE};
    bool to_frames = frame_names_are_meant(options->common.output);
    nst_status status = to_frames ? begin_frames(options, results, error) : begin_film(options, results, error);
    if (status) {
        film_results_free(results);
    }
    return status;
}

void film_results_free(struct film_results *results) {
    free(results->pattern);
    free(results->folder);
    free(results->film);
    *results = (struct film_results){0};
}

/* ---- Paintings --------------------------------------------------------------------------------------------------- */

static nst_status painting_name(const struct film_results *results, int number, char **name, nst_error *error) {
    char *result;
    nst_status status = frame_name(results->pattern, number, &result, error);
    *name = NULL;
    status = status ? status : join(result, ".painting", name, error);
    free(result);
    return status;
}

nst_status film_results_keep(const struct film_results *results, int number, const nst_picture *painting,
                             nst_error *error) {
    const nst_picture_format format = {.kind = "png", .depth_bits = 16};
    char *name;
    if (!results->keeps_paintings) {
        return NST_OK;
    }
    nst_status status = painting_name(results, number, &name, error);
    status = status ? status : nst_picture_write(painting, name, &format, error);
    free(name);
    return status;
}

nst_status film_results_read(const struct film_results *results, int number, nst_picture *painting, nst_error *error) {
    char *name;
    nst_status status = painting_name(results, number, &name, error);
    if (!status && !(results->keeps_paintings && file_exists(name))) {
        free(name);
        status = frame_name(results->pattern, number, &name, error);
    }
    status = status ? status : nst_picture_read(name, painting, NULL, error);
    free(name);
    return status;
}

void film_results_forget(const struct film_results *results, int number) {
    char *name = NULL;
    if (results->keeps_paintings && !painting_name(results, number, &name, NULL)) {
        remove(name);
        free(name);
    }
}

/* ---- The end ----------------------------------------------------------------------------------------------------- */

nst_status film_results_end(const struct film_results *results, const char *output, int first, int last,
                            nst_error *error) {
    char *settings;
    if (output && rename(results->film, output) != 0) {
        return fail(error, NST_ERROR_FILE, "cannot rename %s to %s: %s", results->film, output, strerror(errno));
    }
    for (int number = first; number <= last; number++) {
        char *name;
        if (!frame_name(results->pattern, number, &name, NULL)) {
            remove(name);
            free(name);
        }
    }
    if (!join(results->folder, "/settings.txt", &settings, NULL)) {
        remove(settings);
        free(settings);
    }
    rmdir(results->folder); /* unless it has files of others */
    return NST_OK;
}
