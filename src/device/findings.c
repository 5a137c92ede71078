/* findings.c: what is known of a device from earlier runs; see findings.h. */
#include "device/findings.h"

#include "device/kernel_source.h"
#include "device/program_cache.h"
#include "support/text.h"

#include <stdlib.h>
#include <string.h>

static const char *environment(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

/* Everything that a finding depends on, the kernels' text among it. False without memory. */
static bool make_key(const nst_device_info *device, enum findings_kind kind, struct program_cache_key *key) {
    static const char *const kinds[] = {"check", "speed", "tuning", "half unit", "single unit"};
    const char *const parts[] = {"findings",
                                 kinds[kind],
                                 NST_VERSION,
                                 device->platform,
                                 device->vendor,
                                 device->name,
                                 device->opencl_version,
                                 device->driver,
                                 environment("NST_DEVICE_STYLE"),
                                 environment("NST_CHANNEL_BLOCK"),
                                 environment("NST_MATRIX_UNIT")};
    size_t count = sizeof parts / sizeof *parts, kernels = 0;
    while (embedded_kernels[kernels].file) {
        ++kernels;
    }
    const char **all = malloc((count + kernels) * sizeof *all);
    if (!all) {
        return false;
    }
    memcpy(all, parts, sizeof parts);
    for (size_t i = 0; i < kernels; ++i) {
        all[count + i] = embedded_kernels[i].text;
    }
    *key = program_cache_key(all, count + kernels);
    free(all);
    return true;
}

/* The folder, from malloc, and the key in it; NULL where nothing is to be read or kept. */
static char *find_place(const nst_device_info *device, enum findings_kind kind, struct program_cache_key *key) {
    if (*environment("NST_KERNEL_DIR") || !make_key(device, kind, key)) {
        return NULL;
    }
    return program_cache_folder();
}

char *findings_read(const nst_device_info *device, enum findings_kind kind) {
    struct program_cache_key key;
    unsigned char *content = NULL;
    size_t bytes = 0;
    char *text = NULL, *folder = find_place(device, kind, &key);
    if (folder && program_cache_read(folder, &key, &content, &bytes) && !memchr(content, 0, bytes)) {
        text = malloc(bytes + 1);
        if (text) {
            memcpy(text, content, bytes);
            text[bytes] = 0;
        }
    }
    free(content);
    free(folder);
    return text;
}

bool findings_write(const nst_device_info *device, enum findings_kind kind, const char *text) {
    struct program_cache_key key;
    char *folder = find_place(device, kind, &key);
    bool done = folder != NULL;
    if (folder && text) {
        done = program_cache_write(folder, &key, (const unsigned char *)text, strlen(text));
    } else if (folder) {
        program_cache_remove(folder, &key);
    }
    free(folder);
    return done;
}

static const char passed[] = "passed";

void findings_recall(nst_device_info *device) {
    char *check = findings_read(device, FINDINGS_CHECK), *speed = findings_read(device, FINDINGS_SPEED);
    long long mflops;
    device->check = !check ? NST_CHECK_UNKNOWN : strcmp(check, passed) == 0 ? NST_CHECK_PASSED : NST_CHECK_FAILED;
    snprintf(device->check_reason, sizeof device->check_reason, "%s", device->check == NST_CHECK_FAILED ? check : "");
    device->measured_gflops = speed && text_to_integer(speed, &mflops) && mflops > 0 ? 1e-3 * (double)mflops : 0;
    free(check);
    free(speed);
}

bool findings_keep_check(const nst_device_info *device, const char *reason) {
    return findings_write(device, FINDINGS_CHECK, reason ? reason : passed);
}

bool findings_keep_speed(const nst_device_info *device, double gflops) {
    char text[32];
    snprintf(text, sizeof text, "%lld", gflops > 0 && gflops < 1e9 ? (long long)(1e3 * gflops) : 0);
    return findings_write(device, FINDINGS_SPEED, text);
}
