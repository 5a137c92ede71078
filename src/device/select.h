/* select.h: which device is meant. Pure: a list and a text go in, a number comes out. */
#ifndef DEVICE_SELECT_H
#define DEVICE_SELECT_H

#include "nst.h"

/* True if `spec` is P:D, two whole numbers. */
bool select_parse_position(const char *spec, int *platform_index, int *device_index);

/* A device, or one of several parts of it with as many compute units each: "0:1#2/4" is the second of four of 0:1. */
struct device_part {
    int platform_index, device_index;
    int number, count; /* from 1; count 1: the whole */
};
enum { DEVICE_PARTS_MOST = 64 };
/* True if `spec` is P:D or P:D#K/N. */
bool select_parse_part(const char *spec, struct device_part *part);

/* Chooses among `devices` by `spec`:
 *     auto                   the usable device of the highest rank (traits_rank), the first among equals; if it has a
 *                            measured speed, the fastest of all that have one; none that failed its check
 *     gpu, cpu, accelerator  the same among the devices of this type
 *     P:D                    that device
 *     anything else          the one device with this in "platform vendor name board", ignoring case; a card that
 *                            appears again through a later platform (alias_of) counts once
 * A device chosen by its place or name must be usable: there is no falling back to another.
 * Errors: NST_ERROR_DEVICE; the message lists the devices. */
nst_status select_device(const nst_device_info *devices, size_t count, const char *spec, size_t *index,
                         nst_error *error);

/* True for auto, gpu, cpu and accelerator. */
bool select_is_class(const char *spec);

/* For such a spec: the device that would have been chosen if it had not failed its check, into `index`; false if that
 * is the chosen one. */
bool select_passed_over(const nst_device_info *devices, size_t count, const char *spec, size_t *index);

/* The sentence that tells so, for any spec; "" if there is nothing to tell. Returns `text`. */
enum { SELECT_NOTE_LENGTH = 512 };
const char *select_passed_over_note(const nst_device_info *devices, size_t count, const char *spec,
                                    char text[SELECT_NOTE_LENGTH]);

#endif
