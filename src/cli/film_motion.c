/* film_motion.c: what a frame of a film has from the one before; see film_motion.h. Everything happens at the size of the
 * results. */
#include "cli/film_motion.h"

#include "support/error.h"

/* Where less of the picture than this has been there before, another scene begins. */
static const double least_share = 0.4;

/* At the frames' own size, then at that of the results. */
static nst_status read_flow(const char *path, const struct film_frame_pair *pair, nst_flow *flow, nst_error *error) {
    nst_flow read;
    nst_status status = nst_flow_read(path, &read, error);
    if (status) {
        return status;
    }
    if (read.width != pair->now->width || read.height != pair->now->height) {
        status = fail(error, NST_ERROR_FORMAT, "%s has %d x %d pixels, the frames of the film %d x %d", path,
                      read.width, read.height, pair->now->width, pair->now->height);
    }
    status = status ? status : nst_flow_resize(&read, pair->painting->width, pair->painting->height, flow, error);
    nst_flow_free(&read);
    return status;
}

/* Both frames at the size of the results, with the flows between them; `back` stays empty where it is not known. */
struct scene {
    nst_picture before, now;
    nst_flow flow, back;
};

static nst_status find_flows(nst_context *context, const struct film_frame_pair *pair, struct scene *scene,
                             nst_error *error) {
    int width = pair->painting->width, height = pair->painting->height;
    nst_status status = nst_picture_resize(pair->before, width, height, &scene->before, error);
    status = status ? status : nst_picture_resize(pair->now, width, height, &scene->now, error);
    if (!status && pair->flow_files[0]) {
        status = read_flow(pair->flow_files[0], pair, &scene->flow, error);
        if (!status && pair->flow_files[1]) {
            status = read_flow(pair->flow_files[1], pair, &scene->back, error);
        }
        return status;
    }
    status = status ? status : nst_flow_estimate(context, &scene->now, &scene->before, &scene->flow, error);
    return status ? status : nst_flow_estimate(context, &scene->before, &scene->now, &scene->back, error);
}

static double mean_of(const nst_picture *picture) {
    size_t count = (size_t)picture->width * (size_t)picture->height * (size_t)picture->channels;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += picture->values[i];
    }
    return sum / (double)count;
}

nst_status film_motion_find(nst_context *context, const struct film_frame_pair *pair, struct film_motion *motion,
                            nst_error *error) {
    struct scene scene = {.flow = {0}};
    *motion = (struct film_motion){.is_cut = false};
    nst_status status = find_flows(context, pair, &scene, error);
    if (!status) {
        const nst_motion found = {.from = &scene.now,
                                  .to = &scene.before,
                                  .flow = &scene.flow,
                                  .back = scene.back.values ? &scene.back : NULL};
        status = nst_flow_reliability(context, &found, &motion->reliable, error);
    }
    status = status ? status : nst_flow_warp(context, &scene.flow, pair->painting, &motion->warped, error);
    if (!status) {
        motion->share = mean_of(&motion->reliable);
        motion->is_cut = motion->share < least_share;
    }
    nst_picture_free(&scene.before);
    nst_picture_free(&scene.now);
    nst_flow_free(&scene.flow);
    nst_flow_free(&scene.back);
    return status;
}

void film_motion_free(struct film_motion *motion) {
    nst_picture_free(&motion->warped);
    nst_picture_free(&motion->reliable);
}
