/* identity.c: what the result of a job depends on; see identity.h. */
#include "stylize/identity.h"

#include "support/text.h"

#include <inttypes.h>
#include <nettle/sha2.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Adds an entry of that name and returns the room for its value. */
static char *add_identity(struct identity *identity, const char *format, ...) __attribute__((format(printf, 2, 3)));
static char *add_identity(struct identity *identity, const char *format, ...) {
    int i = identity->count++;
    va_list list;
    va_start(list, format);
    vsnprintf(identity->names[i], IDENTITY_NAME_LENGTH, format, list);
    va_end(list);
    identity->texts[i] = (nst_picture_text){identity->names[i], identity->values[i]};
    return identity->values[i];
}

/* Appends the checksum in hexadecimal digits. */
static void hash_bytes(const void *data, size_t bytes, char *text) {
    struct sha256_ctx hash;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&hash);
    sha256_update(&hash, bytes, data);
    sha256_digest(&hash, sizeof digest, digest);
    text_hexadecimal(digest, sizeof digest, text);
}

static void describe_picture(const nst_picture *picture, char text[FINGERPRINT_LENGTH]) {
    size_t count = (size_t)picture->width * (size_t)picture->height * (size_t)picture->channels;
    int length =
        snprintf(text, FINGERPRINT_LENGTH, "%d x %d x %d, sha256 ", picture->width, picture->height, picture->channels);
    hash_bytes(picture->values, count * sizeof *picture->values, text + length);
}

/* The settings without their padding, whose bytes may be any. */
static void describe_settings(const nst_settings *s, char text[FINGERPRINT_LENGTH]) {
    char all[16384];
    size_t used = 0;
    for (int list = 0; list < 2; ++list) {
        const nst_layer_list *layers = list ? &s->style_layers : &s->content_layers;
        for (int i = 0; i < layers->count; ++i) {
            used += (size_t)snprintf(all + used, sizeof all - used, "%s:%a,", layers->layers[i].name,
                                     layers->layers[i].weight);
        }
        used += (size_t)snprintf(all + used, sizeof all - used, ";");
    }
    for (int i = 0; i < s->iteration_count; ++i) {
        used += (size_t)snprintf(all + used, sizeof all - used, "%d,", s->iterations[i]);
    }
    for (int i = 0; i < s->style_blend_count; ++i) {
        used += (size_t)snprintf(all + used, sizeof all - used, "%a,", s->style_blend[i]);
    }
    used +=
        (size_t)snprintf(all + used, sizeof all - used, "%s %d %d %d %d %a %d %" PRIu64 " %a %a %a %a %a %d %d %d %d",
                         s->preset, s->size_px, s->scale_count, (int)s->optimizer, s->history, s->learning_rate,
                         (int)s->init, s->seed, s->content_weight, s->style_weight, s->tv_weight, s->temporal_weight,
                         s->style_scale, (int)s->pooling, (int)s->precision, (int)s->colors, s->original_colors);
    int length = snprintf(text, FINGERPRINT_LENGTH, "sha256 ");
    hash_bytes(all, used, text + length);
}

static void identify(const nst_job *job, struct identity *identity) {
    snprintf(add_identity(identity, "program"), FINGERPRINT_LENGTH, "nst %s", NST_VERSION);
    fingerprint_device(job->context, add_identity(identity, "device"));
    for (int i = 0; i < job->devices.helper_count; ++i) {
        fingerprint_device(job->devices.helpers[i].context, add_identity(identity, "device number %d", i + 2));
    }
    fingerprint_kernels(job->context, add_identity(identity, "kernels"));
    snprintf(add_identity(identity, "network"), FINGERPRINT_LENGTH, "%s", job->network);
    describe_settings(&job->settings, add_identity(identity, "settings"));
    snprintf(add_identity(identity, "tiles"), FINGERPRINT_LENGTH, "%d %d", job->form.core_px, job->form.on_host);
    describe_picture(&job->content, add_identity(identity, "content"));
    for (int i = 0; i < job->style_count; ++i) {
        describe_picture(&job->styles[i], add_identity(identity, "style number %d", i + 1));
    }
    if (job->colored.values) {
        describe_picture(&job->colored, add_identity(identity, "colors of the content"));
    }
    if (job->mask.values) {
        describe_picture(&job->mask, add_identity(identity, "mask"));
    }
    for (int i = 0; job->has_style_masks && i < job->style_count; ++i) {
        describe_picture(&job->style_masks[i], add_identity(identity, "style mask number %d", i + 1));
    }
    if (job->init.values) {
        describe_picture(&job->init, add_identity(identity, "picture of --init"));
    }
    if (job->previous.values) {
        describe_picture(&job->previous, add_identity(identity, "previous picture"));
    }
    if (job->reliable.values) {
        describe_picture(&job->reliable, add_identity(identity, "picture of what is reliable"));
    }
}

const struct identity *identity_of_job(nst_job *job) {
    if (!job->identity) {
        job->identity = calloc(1, sizeof *job->identity);
        if (job->identity) {
            identify(job, job->identity);
        }
    }
    return job->identity;
}

void identity_compare(const struct identity *now, const nst_picture_text *then, int then_count, char *text,
                      size_t size) {
    text[0] = 0;
    for (int i = 0; i < now->count || i < then_count; ++i) {
        const nst_picture_text *a = i < then_count ? &then[i] : NULL, *b = i < now->count ? &now->texts[i] : NULL;
        size_t used = strlen(text);
        if (a && b && strcmp(a->keyword, b->keyword) == 0 && strcmp(a->value, b->value) == 0) {
            continue;
        }
        snprintf(text + used, size - used, "%s%s", used ? ", " : "", b ? b->keyword : a->keyword);
        used = strlen(text);
        if (a && b && !strstr(b->value, "sha256")) { /* checksums tell a person nothing */
            snprintf(text + used, size - used, " (%s, now %s)", a->value, b->value);
        }
    }
}
