/* device_list.h: the devices that a command works on one after another, or together. */
#ifndef CLI_DEVICE_LIST_H
#define CLI_DEVICE_LIST_H

#include "nst.h"

enum { DEVICE_NAMES_MOST = 32 };

struct device_names {
    int count;
    char names[DEVICE_NAMES_MOST][24]; /* P:D, or P:D#K/N for a part of one (device/select.h) */
    const char *pointers[DEVICE_NAMES_MOST];
};

/* Finds what `specs` means: "all" for every usable device (a card that is there through several platforms counts once),
 * or specs as for --device with commas between; NULL: NST_DEVICE, then auto. Where all are given as P:D no driver is
 * asked. Errors: NST_ERROR_DEVICE, NST_ERROR_ARGUMENT (too many). */
nst_status device_names_find(const char *specs, struct device_names *names, nst_error *error);

/* Whether none of them, or a part of it, is there twice. Errors: NST_ERROR_ARGUMENT. */
nst_status device_names_check(const struct device_names *names, nst_error *error);

#endif
