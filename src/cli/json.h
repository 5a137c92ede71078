/* json.h: values that JSON cannot hold, and whole documents, for every command that prints JSON. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <jansson.h>

#include "nst.h"

/* A text, null where it is not UTF-8: paths and what drivers say may hold anything. */
json_t *text_json(const char *text);

/* A number, null where it is not finite. */
json_t *real_json(double value);

/* Prints a document, and takes it over; NULL stands for one that could not be made. `what` it is is for the message.
 * Errors: NST_ERROR_FILE. */
nst_status print_json(json_t *whole, const char *what, FILE *stream, nst_error *error);

#endif
