/* identity.h: what the result of a job depends on, in words and checksums, to tell whether a checkpoint goes on in the same
 * job. */
#ifndef STYLIZE_IDENTITY_H
#define STYLIZE_IDENTITY_H

#include "device/fingerprint.h"
#include "stylize/job.h"

enum { IDENTITY_MOST = 12 + 2 * NST_MAX_STYLES + NST_MAX_DEVICES, IDENTITY_NAME_LENGTH = 32 };

/* Each with a name, such as "content", by which a message can call it. */
struct identity {
    int count;
    nst_picture_text texts[IDENTITY_MOST]; /* these point into the arrays: not to be copied */
    char names[IDENTITY_MOST][IDENTITY_NAME_LENGTH], values[IDENTITY_MOST][FINGERPRINT_LENGTH];
};

/* Program, device, kernels, network, settings, and the pixels of every picture; made when it is first asked for, kept by
 * the job. NULL without memory. */
const struct identity *identity_of_job(nst_job *job);

/* What differs from an earlier one, as a list for a sentence: "content, device (PoCL ..., now NVIDIA ...)"; "" if nothing
 * does. Into `text`. */
void identity_compare(const struct identity *now, const nst_picture_text *then, int then_count, char *text,
                      size_t size);

#endif
