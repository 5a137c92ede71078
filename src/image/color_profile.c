/* color_profile.c: see color_profile.h.
 *
 * Little CMS keeps its state in a context: each conversion has one of its own, which also catches its messages. */
#include "image/color_profile.h"
#include "image/picture.h"
#include "support/error.h"

#include <lcms2.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HALF_A_LEVEL (0.5f / 255)

const struct color_space color_space_srgb = {
    .name = "sRGB",
    .red = {0.64, 0.33},
    .green = {0.30, 0.60},
    .blue = {0.15, 0.06},
    .white = {0.3127, 0.3290},
    .transfer = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045},
};

const struct color_space color_space_adobe_rgb = {
    .name = "Adobe RGB (1998) compatible",
    .red = {0.64, 0.33},
    .green = {0.21, 0.71},
    .blue = {0.15, 0.06},
    .white = {0.3127, 0.3290},
    .transfer = {.gamma = 563.0 / 256, .scale = 1},
};

/* ---- Contexts -------------------------------------------------------------------------------------------------- */

/* The first message counts: later ones are its consequences. */
static void take_message(cmsContext context, cmsUInt32Number code, const char *text) {
    char *reason = cmsGetContextUserData(context);
    (void)code;
    if (reason && !reason[0]) {
        snprintf(reason, PROFILE_REASON_LENGTH, "%s", text);
    }
}

/* A context whose messages go to `reason`; NULL without memory. */
static cmsContext open_context(char *reason) {
    cmsContext context = cmsCreateContext(NULL, reason);
    if (context) {
        cmsSetLogErrorHandlerTHR(context, take_message);
    }
    return context;
}

/* ---- Making profiles ------------------------------------------------------------------------------------------- */

/* The profile as bytes. The time of its making would make every result another file: it is set to a fixed one. */
static nst_status save(cmsHPROFILE handle, nst_bytes *profile, nst_error *error) {
    static const unsigned char time[12] = {2000 >> 8, 2000 & 0xff, 0, 1, 0, 1}; /* 1 January 2000 */
    const size_t time_at = 24;
    cmsUInt32Number bytes = 0;
    *profile = (nst_bytes){0};
    if (cmsSaveProfileToMem(handle, NULL, &bytes)) {
        profile->data = malloc(bytes);
    }
    if (!profile->data || !cmsSaveProfileToMem(handle, profile->data, &bytes) || bytes < time_at + sizeof time) {
        free(profile->data);
        *profile = (nst_bytes){0};
        return fail(error, NST_ERROR_MEMORY, "not enough memory for a color profile");
    }
    memcpy(profile->data + time_at, time, sizeof time);
    profile->bytes = bytes;
    return NST_OK;
}

/* What programs show as the name of the profile. */
static bool set_name(cmsContext context, cmsHPROFILE handle, const char *name) {
    cmsMLU *text = cmsMLUalloc(context, 1);
    bool is_set =
        text && cmsMLUsetASCII(text, "en", "US", name) && cmsWriteTag(handle, cmsSigProfileDescriptionTag, text);
    cmsMLUfree(text);
    return is_set;
}

static cmsHPROFILE create_handle(cmsContext context, const struct color_space *space) {
    const struct transfer_function *transfer = &space->transfer;
    const cmsCIExyY white = {space->white[0], space->white[1], 1};
    const cmsCIExyYTRIPLE primaries = {
        {space->red[0], space->red[1], 1}, {space->green[0], space->green[1], 1}, {space->blue[0], space->blue[1], 1}};
    const cmsFloat64Number parameters[5] = {transfer->gamma, transfer->scale, transfer->offset, transfer->slope,
                                            transfer->linear_below};
    /* Types of ICC.1, table 68: a mere power, or one with a linear part, whose numbers are from 1 here. */
    int type = transfer->linear_below > 0 ? 4 : 1;
    cmsToneCurve *curve = cmsBuildParametricToneCurve(context, type, parameters);
    cmsToneCurve *const curves[3] = {curve, curve, curve};
    cmsHPROFILE handle = curve ? cmsCreateRGBProfileTHR(context, &white, &primaries, curves) : NULL;
    if (curve) {
        cmsFreeToneCurve(curve);
    }
    if (handle && !set_name(context, handle, space->name)) {
        cmsCloseProfile(handle);
        handle = NULL;
    }
    return handle;
}

nst_status color_profile_create(const struct color_space *space, nst_bytes *profile, nst_error *error) {
    char reason[PROFILE_REASON_LENGTH] = "";
    *profile = (nst_bytes){0};
    cmsContext context = open_context(reason);
    cmsHPROFILE handle = context ? create_handle(context, space) : NULL;
    nst_status status =
        handle ? save(handle, profile, error) : fail(error, NST_ERROR_FORMAT, "there are no colors of such primaries");
    if (handle) {
        cmsCloseProfile(handle);
    }
    if (context) {
        cmsDeleteContext(context);
    }
    return status;
}

/* ---- Conversions ----------------------------------------------------------------------------------------------- */

/* A conversion between the colors of a profile and sRGB. */
struct conversion {
    cmsContext context;
    cmsHPROFILE profile, srgb;
    cmsHTRANSFORM transform;
    char reason[PROFILE_REASON_LENGTH]; /* why there is no transform */
};

static void close_conversion(struct conversion *conversion) {
    if (conversion->transform) {
        cmsDeleteTransform(conversion->transform);
    }
    if (conversion->profile) {
        cmsCloseProfile(conversion->profile);
    }
    if (conversion->srgb) {
        cmsCloseProfile(conversion->srgb);
    }
    if (conversion->context) {
        cmsDeleteContext(conversion->context);
    }
}

/* Little CMS's name for `colors` floats of a pixel that has `channels`. */
static cmsUInt32Number float_format(int space, int colors, int channels) {
    return (cmsUInt32Number)(FLOAT_SH(1) | COLORSPACE_SH(space) | CHANNELS_SH(colors) | EXTRA_SH(channels - colors) |
                             BYTES_SH(4));
}

/* The format in which channels of that model are handed to a profile; 0 if it is for other colors. */
static cmsUInt32Number format_for(cmsHPROFILE profile, enum color_model model, int channels) {
    cmsProfileClassSignature kind = cmsGetDeviceClass(profile);
    if (kind != cmsSigInputClass && kind != cmsSigDisplayClass && kind != cmsSigOutputClass &&
        kind != cmsSigColorSpaceClass) {
        return 0;
    }
    switch (cmsGetColorSpace(profile)) {
    case cmsSigRgbData:
        return model == COLOR_CMYK ? 0 : float_format(PT_RGB, 3, channels);
    case cmsSigGrayData:
        return model == COLOR_GRAY ? float_format(PT_GRAY, 1, channels) : 0;
    case cmsSigCmykData:
        return model == COLOR_CMYK ? float_format(PT_CMYK, 4, channels) : 0;
    default:
        return 0;
    }
}

enum direction { TO_SRGB, FROM_SRGB };

/* False, and the reason, if there is no such conversion. To be closed in any case. */
static bool open_conversion(struct conversion *conversion, const nst_bytes *profile, enum color_model model,
                            int channels, enum direction direction) {
    *conversion = (struct conversion){.context = open_context(conversion->reason)};
    if (!conversion->context || profile->bytes > UINT32_MAX) {
        snprintf(conversion->reason, sizeof conversion->reason, "there is not enough memory");
        return false;
    }
    conversion->profile = cmsOpenProfileFromMemTHR(conversion->context, profile->data, (cmsUInt32Number)profile->bytes);
    conversion->srgb = cmsCreate_sRGBProfileTHR(conversion->context);
    if (!conversion->profile || !conversion->srgb) {
        return false;
    }
    cmsUInt32Number own = format_for(conversion->profile, model, channels);
    if (own == 0) {
        snprintf(conversion->reason, sizeof conversion->reason, "it is for another kind of colors");
        return false;
    }
    cmsUInt32Number common = float_format(PT_RGB, 3, channels);
    bool to_srgb = direction == TO_SRGB;
    /* Without optimization the conversion is computed in floats throughout. */
    conversion->transform =
        cmsCreateTransformTHR(conversion->context, to_srgb ? conversion->profile : conversion->srgb,
                              to_srgb ? own : common, to_srgb ? conversion->srgb : conversion->profile,
                              to_srgb ? common : own, INTENT_PERCEPTUAL, cmsFLAGS_NOOPTIMIZE | cmsFLAGS_NOCACHE);
    return conversion->transform != NULL;
}

static const char *reason_of(const struct conversion *conversion) {
    return conversion->reason[0] ? conversion->reason : "it is damaged";
}

/* Whether a conversion leaves all colors where they are, as far as 8 bits tell. */
static bool is_identity(const struct conversion *conversion, enum color_model model, int channels) {
    enum { STEPS = 9 };
    float worst = 0;
    for (int i = 0; i < STEPS * STEPS * STEPS; i++) {
        const float color[3] = {(float)(i % STEPS) / (STEPS - 1), (float)(i / STEPS % STEPS) / (STEPS - 1),
                                (float)(i / STEPS / STEPS) / (STEPS - 1)};
        float pixel[4] = {0};
        for (int channel = 0; channel < 3 && channel < channels; channel++) {
            pixel[channel] = model == COLOR_GRAY ? color[0] : color[channel];
        }
        const float before[3] = {pixel[0], pixel[1], pixel[2]};
        cmsDoTransform(conversion->transform, pixel, pixel, 1);
        for (int channel = 0; channel < 3; channel++) {
            worst = fmaxf(worst, fabsf(pixel[channel] - before[channel]));
            worst = isnan(pixel[channel]) ? 1 : worst;
        }
    }
    return worst <= HALF_A_LEVEL;
}

static float clamp(float value) {
    return !(value > 0) ? 0 : value > 1 ? 1 : value;
}

/* Row by row, since rows are short enough for the counts of Little CMS. */
static void convert(const struct conversion *conversion, enum color_model model, nst_picture *picture) {
    size_t row_values = (size_t)picture->width * (size_t)picture->channels;
    size_t channels = (size_t)picture->channels;
    for (int y = 0; y < picture->height; y++) {
        float *row = picture->values + (size_t)y * row_values;
        for (size_t i = 0; model == COLOR_CMYK && i < row_values; i++) {
            row[i] *= 100; /* inks are in percent there */
        }
        cmsDoTransform(conversion->transform, row, row, (cmsUInt32Number)picture->width);
        for (size_t i = 0; i < row_values; i++) {
            row[i] = i % channels < 3 ? clamp(row[i]) : row[i];
        }
    }
}

bool color_profile_to_srgb(const nst_bytes *profile, nst_picture *picture, enum color_model model,
                           char reason[PROFILE_REASON_LENGTH]) {
    struct conversion conversion;
    bool can = open_conversion(&conversion, profile, model, picture->channels, TO_SRGB);
    if (!can) {
        snprintf(reason, PROFILE_REASON_LENGTH, "%s", reason_of(&conversion));
    } else if (model == COLOR_CMYK || !is_identity(&conversion, model, picture->channels)) {
        convert(&conversion, model, picture);
    }
    close_conversion(&conversion);
    return can;
}

nst_status color_profile_from_srgb(const nst_bytes *profile, nst_picture *picture, nst_error *error) {
    struct conversion conversion;
    nst_status status = NST_OK;
    if (!open_conversion(&conversion, profile, COLOR_RGB, picture->channels, FROM_SRGB)) {
        status = fail(error, NST_ERROR_ARGUMENT,
                      "the result cannot be written in the content's color profile: %s; leave out --keep-profile",
                      reason_of(&conversion));
    } else if (!is_identity(&conversion, COLOR_RGB, picture->channels)) {
        convert(&conversion, COLOR_RGB, picture);
    }
    close_conversion(&conversion);
    return status;
}
