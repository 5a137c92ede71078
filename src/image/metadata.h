/* metadata.h: what a picture file says besides its pixels, made true of a result. For this room only. */
#ifndef IMAGE_METADATA_H
#define IMAGE_METADATA_H

#include "nst.h"

/* A copy of `metadata` (NULL: none) for a result of that size: orientations are reset, sizes set, and the thumbnail is
 * gone. Without a profile, it gets that of sRGB. Free with nst_picture_metadata_free. */
nst_status metadata_adapt(const nst_picture_metadata *metadata, const nst_picture *result,
                          nst_picture_metadata *adapted, nst_error *error);

/* IPTC records as an image resource of Photoshop; empty if there are none. `wrapped->data` is from malloc. */
nst_status metadata_wrap_iptc(const nst_bytes *iptc, nst_bytes *wrapped, nst_error *error);

#endif
