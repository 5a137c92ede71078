/* heif_references.h: which pictures of a HEIF file are made of which others. */
#ifndef IMAGE_HEIF_REFERENCES_H
#define IMAGE_HEIF_REFERENCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a picture in the file (ISO/IEC 23008-12) is made of others (references of type dimg) that are made of others,
 * and so on, more than eight times: a picture that is made of itself never ends, and libheif follows it until its stack
 * does. False for what is no HEIF file at all. */
bool heif_is_nested_too_deep(const uint8_t *data, size_t bytes);

#endif
