/* fingerprint.c: what results depend on besides the command; see fingerprint.h. */
#include "device/fingerprint.h"

#include "device/kernel_source.h"
#include "device/matrix_unit.h"
#include "support/text.h"

#include <nettle/sha2.h>
#include <string.h>

void fingerprint_device(const nst_context *context, char text[FINGERPRINT_LENGTH]) {
    const nst_device_info *info = &context->info;
    snprintf(text, FINGERPRINT_LENGTH, "%s (%s), %s, driver %s, %u compute units", info->name, info->platform,
             info->opencl_version, info->driver, (unsigned)info->compute_units);
}

static void add_text(struct sha256_ctx *hash, const char *text) {
    sha256_update(hash, strlen(text) + 1, (const uint8_t *)text);
}

static const char *name_of(const struct matrix_unit *unit) {
    return unit ? unit->name : "none";
}

void fingerprint_kernels(const nst_context *context, char text[FINGERPRINT_LENGTH]) {
    struct sha256_ctx hash;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&hash);
    for (const struct embedded_kernel *kernel = embedded_kernels; kernel->file; ++kernel) {
        add_text(&hash, kernel->text);
    }
    for (int i = 0; i < context->tuning.count; ++i) {
        add_text(&hash, context->tuning.rows[i].key);
        add_text(&hash, context->tuning.rows[i].choice);
    }
    sha256_digest(&hash, sizeof digest, digest);
    char digits[2 * sizeof digest + 1];
    text_hexadecimal(digest, sizeof digest, digits);
    snprintf(text, FINGERPRINT_LENGTH,
             "%s, blocks of %d, %d work-items, groups of %zu, sub-groups of %d, matrix units %s, %s%s, sha256 %s",
             context->loops_in_kernel ? "for processors" : "for GPUs", context->channel_block, context->work_items,
             context->work_group, context->sub_group, name_of(context->half_unit), name_of(context->single_unit),
             context->emulates_units ? " emulated" : "", digits);
}
