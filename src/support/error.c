/* error.c: one place that writes into an nst_error or an nst_note; see error.h. */
#include "support/error.h"

#include <stdarg.h>

nst_status fail(nst_error *error, nst_status status, const char *format, ...) {
    if (error) {
        error->status = status;
        va_list list;
        va_start(list, format);
        vsnprintf(error->message, sizeof error->message, format, list);
        va_end(list);
    }
    return status;
}

nst_status fail_memory(nst_error *error, size_t bytes, const char *what) {
    return fail(error, NST_ERROR_MEMORY, "not enough memory for %s (%zu bytes): close other programs or ask for less",
                what, bytes);
}

void remark(nst_note *note, const char *format, ...) {
    if (note && note->message[0] == '\0') {
        va_list list;
        va_start(list, format);
        vsnprintf(note->message, sizeof note->message, format, list);
        va_end(list);
    }
}
