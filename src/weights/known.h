/* known.h: the sha256 of a file, and what is known about the networks that people have. */
#ifndef WEIGHTS_KNOWN_H
#define WEIGHTS_KNOWN_H

#include "weights/tensors.h"

/* A file known by its sha256. */
struct known_file {
    const char *sha256_start; /* as many hexadecimal digits as are known */
    const char *name;         /* of the network */
    const char *input;        /* the input convention as text */
    const char *origin, *license;
};

/* A name that may only stand for one network. */
struct known_name {
    const char *name, *architecture, *input;
};

/* NULL if nothing is known. */
const struct known_file *known_file_find(const char *sha256);
const struct known_name *known_name_find(const char *name);

/* The sha256 of the whole opened file, as 64 hexadecimal digits. */
nst_status known_sha256(const struct tensor_list *list, char sha256[65], nst_error *error);

#endif
