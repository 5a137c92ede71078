/* batch_contents.h: the contents of `nst batch`: files as they are given, and the pictures in folders. */
#ifndef CLI_BATCH_CONTENTS_H
#define CLI_BATCH_CONTENTS_H

#include "nst.h"

struct batch_content {
    char *path;
    char *folder;  /* below the folder that was given: "" or "spring/april" */
    bool is_given; /* itself, not by a folder */
    char *output;  /* see batch_outputs.h; NULL: it is not painted */
    char *problem; /* NULL, or why there is none: this is a folder that could not be read */
};

struct batch_contents {
    struct batch_content *items;
    size_t count, capacity;
};

/* What is looked for. */
struct batch_search {
    bool recursive;
    const char *left_out; /* a folder that is not entered, but where it is given itself: that of the results */
};

/* Lists them: the operands in their order, what is in a folder by its names in the order of their bytes. Files of folders
 * that do not begin like a picture are passed over, and so are links to folders. Free with batch_contents_free, also
 * after a failure. Errors: NST_ERROR_MEMORY. */
nst_status batch_contents_find(char *const *operands, int count, const struct batch_search *search,
                               struct batch_contents *contents, nst_error *error);
void batch_contents_free(struct batch_contents *contents);

/* Frees what an item holds. */
void batch_content_free(struct batch_content *content);

#endif
