/* session.c: what a command that paints has once; see session.h. */
#include "cli/session.h"

#include <string.h>

#include "cli/device_open.h"
#include "cli/network_choice.h"
#include "cli/picture_open.h"

/* ---- Pictures ---------------------------------------------------------------------------------------------------- */

nst_status session_read_pictures(struct session *session, nst_error *error) {
    const struct stylize_options *options = session->options;
    nst_status status = NST_OK;
    for (int i = 0; !status && i < options->style_count; i++) {
        status = picture_open(options->styles[i], options->quiet, &session->styles[i], error);
        session->style_count += !status;
    }
    if (!status && options->settings.init == NST_INIT_PICTURE) {
        status = picture_open(options->init, options->quiet, &session->init, error);
    }
    if (!status && options->mask) {
        status = picture_open(options->mask, options->quiet, &session->mask, error);
    }
    for (int i = 0; !status && i < options->style_mask_count; i++) {
        status = picture_open(options->style_masks[i], options->quiet, &session->style_masks[i], error);
    }
    return status;
}

void session_free_pictures(struct session *session) {
    nst_picture_free(&session->init);
    nst_picture_free(&session->mask);
    for (int i = 0; i < NST_MAX_STYLES; i++) {
        nst_picture_free(&session->styles[i]);
        nst_picture_free(&session->style_masks[i]);
    }
    session->style_count = 0;
}

/* ---- Device and network ------------------------------------------------------------------------------------------ */

static nst_status open_devices(struct session *session, nst_error *error) {
    const struct stylize_options *options = session->options;
    nst_status status = device_open_list(options->device, options->no_cache, options->quiet, session->contexts,
                                         &session->context_count, error);
    for (int i = 0; !status && options->verbose && i < session->context_count; i++) {
        const nst_device_info *device = nst_context_device(session->contexts[i]);
        progress_clear(&session->display);
        fprintf(stderr, "device  %d:%d %s, %s, driver %s\n", device->platform_index, device->device_index, device->name,
                device->opencl_version, device->driver);
    }
    return status;
}

static nst_status open_network(struct session *session, nst_error *error) {
    const struct stylize_options *options = session->options;
    nst_status status =
        network_choice_open(options->network, options->input_convention, &options->settings, &session->network, error);
    if (!status && options->verbose) {
        const nst_network *network = session->network;
        fprintf(stderr, "network %s, %s, sha256 %s\n", nst_network_name(network), nst_network_path(network),
                nst_network_sha256(network));
    }
    return status;
}

nst_status session_open(struct session *session, nst_error *error) {
    nst_status status = open_devices(session, error);
    return status ? status : open_network(session, error);
}

/* ---- Telling ----------------------------------------------------------------------------------------------------- */

void session_begin_display(struct session *session, bool quiet) {
    bool watched = session->events.stream && strcmp(session->options->progress, "json") == 0;
    session->display = progress_begin(stderr, quiet || watched);
}

void session_tell(struct session *session, int kind, const char *note) {
    char *told = session->told[kind];
    if (!note || session->options->quiet || strncmp(told, note, sizeof session->told[kind] - 1) == 0) {
        return;
    }
    snprintf(told, sizeof session->told[kind], "%s", note);
    progress_clear(&session->display);
    fprintf(stderr, "nst: %s\n", note);
}

void session_end(struct session *session) {
    progress_events_end(&session->events);
    session_free_pictures(session);
    nst_job_destroy(session->job);
    nst_network_destroy(session->network);
    for (int i = 0; i < session->context_count; i++) {
        nst_context_destroy(session->contexts[i]);
    }
}
