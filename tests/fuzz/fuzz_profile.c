/* fuzz_profile.c: a color profile, for colors of each kind, in both directions. */
#include "image/color_profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static const enum color_model models[] = {COLOR_RGB, COLOR_GRAY, COLOR_CMYK};
    const nst_bytes profile = {(unsigned char *)data, bytes};
    char reason[PROFILE_REASON_LENGTH];
    if (bytes == 0)
        return 0;
    for (int i = 0; i < 3; i++)
        for (int channels = models[i] == COLOR_CMYK ? 4 : 3; channels <= 4; channels++) {
            float values[8] = {0, 0.2f, 0.5f, 1, 0.9f, 0.3f, 0.7f, 0.4f};
            nst_picture picture = {2, 1, channels, values};
            color_profile_to_srgb(&profile, &picture, models[i], reason);
            color_profile_from_srgb(&profile, &picture, NULL);
        }
    return 0;
}
