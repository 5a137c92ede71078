/* format_case.h: what the tests of the formats share whose libraries may be missing. */
#ifndef TESTS_IMAGE_FORMAT_CASE_H
#define TESTS_IMAGE_FORMAT_CASE_H

#include "nst.h"

enum { FORMAT_WIDTH = 37, FORMAT_HEIGHT = 29 };

/* Reads the file, which must hold this picture, without a note. */
void format_expect(const char *name, const nst_picture *expected, double tolerance);

/* Writes a file of the kind that its name tells. */
void format_write(const nst_picture *picture, const char *name, int depth_bits, int webp_quality,
                  const nst_picture_metadata *metadata);

/* Writes a file of that name without loss, with EXIF, XMP and IPTC, and reads back what the format has a place for. */
void format_check_metadata(const char *name, bool has_iptc);

#endif
