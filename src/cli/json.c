/* json.c: values that JSON cannot hold, and whole documents; see json.h. */
#include "cli/json.h"

#include <math.h>

#include "support/error.h"

json_t *text_json(const char *text) {
    json_t *string = json_string(text);
    return string ? string : json_null();
}

json_t *real_json(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

nst_status print_json(json_t *whole, const char *what, FILE *stream, nst_error *error) {
    bool printed = whole && json_dumpf(whole, stream, JSON_INDENT(1) | JSON_PRESERVE_ORDER) == 0;
    json_decref(whole);
    if (!printed || fputc('\n', stream) == EOF) {
        return fail(error, NST_ERROR_FILE, "cannot write %s as JSON", what);
    }
    return NST_OK;
}
