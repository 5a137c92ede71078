/* jobs.c: pictures, settings and runs for the suites that try whole jobs; see jobs.h. */
#include "jobs.h"

#include "image/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

nst_picture make_hills(int width, int height, int channels) {
    nst_picture picture;
    nst_error error;
    check(picture_create(width, height, channels, &picture, &error), &error);
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            float *pixel = picture.values + ((size_t)y * (size_t)width + (size_t)x) * (size_t)channels;
            float u = (float)x / (float)width, v = (float)y / (float)height;
            float hill = 0.5f + 0.3f * sinf(5 * u) * cosf(4 * v);
            pixel[0] = 0.8f * hill;
            pixel[1] = 0.3f + 0.5f * hill * v;
            pixel[2] = 0.6f - 0.4f * hill;
            if (channels == 4) {
                pixel[3] = u;
            }
        }
    }
    return picture;
}

nst_picture make_stripes(int width, int height) {
    static const float colors[4][3] = {
        {0.9f, 0.1f, 0.1f}, {0.95f, 0.85f, 0.2f}, {0.1f, 0.2f, 0.7f}, {0.05f, 0.05f, 0.1f}};
    struct random_generator generator = random_from_seed(4);
    nst_picture picture;
    nst_error error;
    check(picture_create(width, height, 3, &picture, &error), &error);
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            const float *color = colors[(x + 2 * y + (int)(3 * sin(0.3 * x))) / 5 % 4];
            for (int c = 0; c < 3; ++c) {
                float noise = 0.08f * ((float)random_uniform(&generator) - 0.5f);
                picture.values[(y * width + x) * 3 + c] = fminf(fmaxf(color[c] + noise, 0), 1);
            }
        }
    }
    return picture;
}

void set_layers(nst_layer_list *list, const char *const *names, int count) {
    *list = (nst_layer_list){.count = count};
    for (int i = 0; i < count; ++i) {
        snprintf(list->layers[i].name, sizeof list->layers[i].name, "%s", names[i]);
        list->layers[i].weight = 1;
    }
}

nst_settings small_settings(int iterations) {
    static const char *const styles[] = {"relu1_1", "relu2_1", "relu3_1"}, *const contents[] = {"relu2_2"};
    nst_settings settings;
    nst_error error;
    check(nst_settings_init(&settings, NULL, &error), &error);
    set_layers(&settings.style_layers, styles, 3);
    set_layers(&settings.content_layers, contents, 1);
    settings.size_px = 48;
    settings.scale_count = 1;
    settings.iterations[0] = iterations;
    settings.iteration_count = 1;
    return settings;
}

/* Checks on the way what every progress must tell. */
static void record_progress(const nst_progress *progress, void *user) {
    struct job_record *record = user;
    double sum = 0, style = 0;
    if (progress->evaluation == 0) { /* of a job without iterations, only the end is told */
        assert_true(progress->finished);
        record->last = *progress;
        return;
    }
    assert_int_equal(progress->evaluation, ++record->evaluations);
    assert_in_range(progress->scale, 0, progress->scale_count - 1);
    assert_in_range(progress->iteration, 0, progress->iteration_count);
    assert_true(progress->width > 0 && progress->height > 0);
    assert_true(progress->seconds >= 0 && progress->seconds_left >= 0);
    for (int i = 0; i < progress->layer_count; ++i) {
        sum += progress->layers[i].loss;
        style += strcmp(progress->layers[i].kind, "style") == 0 ? progress->layers[i].loss : 0;
    }
    if (isfinite(progress->loss)) {
        assert_true(fabs(sum - progress->loss) <= 1e-9 * fabs(sum));
    }
    if (progress->note) {
        record->notes++;
        snprintf(record->last_note, sizeof record->last_note, "%s", progress->note);
        assert_null(strchr(progress->note, '\n'));
    }
    if (record->evaluations == 1) {
        record->first_style = style;
        record->first_loss = record->least_loss = progress->loss;
    }
    record->last_style = style;
    record->last_loss = progress->loss;
    record->least_loss = progress->loss < record->least_loss ? progress->loss : record->least_loss;
    record->last = *progress;
    record->cancel_flag = record->evaluations == record->cancel_after;
}

void run_job(nst_context *context, const nst_network *network, const nst_settings *settings,
             const nst_job_pictures *pictures, struct job_record *record) {
    uint64_t before = context->allocated_bytes, planned = 0;
    context->peak_bytes = before;
    nst_job *job;
    nst_error error;
    record->status = nst_job_create(context, network, settings, pictures, &job, &record->error);
    if (record->status) {
        assert_null(job);
    } else {
        planned = nst_job_memory_bytes(job);
        record->precision = nst_job_precision(job);
        record->status = nst_job_run(job, record_progress, record, &record->cancel_flag, &record->error);
        check(nst_job_picture(job, &record->picture, &error), &error);
    }
    nst_job_destroy(job);
    assert_true(context->allocated_bytes == before);
    if (planned) { /* a tenth, and what is small whatever the size of the picture */
        uint64_t used = context->peak_bytes - before;
        assert_true(used >= planned && used <= planned + planned / 10 + (64 << 10));
    }
}

void record_free(struct job_record *record) {
    nst_picture_free(&record->picture);
}

void run_small(nst_context *context, const nst_settings *settings, const nst_picture *content,
               struct job_record *record) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_picture hills = make_hills(60, 45, 3), stripes = make_stripes(64, 64);
    nst_job_pictures pictures = {.content = content ? content : &hills, .styles = &stripes, .style_count = 1};
    run_job(context, network, settings, &pictures, record);
    nst_picture_free(&hills);
    nst_picture_free(&stripes);
    random_network_free(network);
}

void assert_style_distance_falls(nst_context *context, const nst_network *network, const nst_settings *settings,
                                 double factor) {
    nst_picture hills = make_hills(120, 90, 3), stripes = make_stripes(100, 100);
    nst_job_pictures pictures = {.content = &hills, .styles = &stripes, .style_count = 1};
    struct job_record record = {0};
    run_job(context, network, settings, &pictures, &record);
    check(record.status, &record.error);
    if (!(record.last_style < record.first_style / factor)) {
        fail_msg("the style distance fell from %g to %g only", record.first_style, record.last_style);
    }
    assert_int_equal(record.picture.width, settings->size_px);
    assert_int_equal(record.picture.height, settings->size_px * 3 / 4);
    assert_in_unit_range(&record.picture);
    record_free(&record);
    nst_picture_free(&hills);
    nst_picture_free(&stripes);
}

void assert_in_unit_range(const nst_picture *picture) {
    assert_non_null(picture->values);
    size_t count = (size_t)picture->width * (size_t)picture->height * (size_t)picture->channels;
    for (size_t i = 0; i < count; ++i) {
        assert_true(picture->values[i] >= 0 && picture->values[i] <= 1);
    }
}

bool same_pixels(const nst_picture *a, const nst_picture *b) {
    size_t count = (size_t)a->width * (size_t)a->height * (size_t)a->channels;
    return a->width == b->width && a->height == b->height && a->channels == b->channels &&
           memcmp(a->values, b->values, count * sizeof *a->values) == 0;
}
