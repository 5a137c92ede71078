/* list.h: puts what the platforms say into one list. */
#ifndef DEVICE_LIST_H
#define DEVICE_LIST_H

#include "device/query.h"

/* Adds the platform's devices, and a note where there is something to say. False without memory. */
bool list_add_report(nst_device_list *list, int platform_index, const struct platform_report *report);

/* Adds one sentence. False without memory. */
bool list_add_note(nst_device_list *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets alias_of, what earlier runs found, and is_default once all devices are there. */
void list_complete(nst_device_list *list);

/* Adds the note for a system whose platforms cannot be listed, by the code that clGetPlatformIDs returned. */
bool list_add_no_platform_note(nst_device_list *list, cl_int code);

/* Asks the drivers in this process: all of them, or only platform `only_platform` if it is not negative. */
nst_status list_query(int only_platform, nst_device_list *list, nst_error *error);

/* fail() for a list without any device: the notes say why. */
nst_status list_fail_empty(const nst_device_list *list, const char *spec, nst_error *error);

#endif
