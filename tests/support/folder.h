/* folder.h: a temporary folder for the files of a test. */
#ifndef TESTS_SUPPORT_FOLDER_H
#define TESTS_SUPPORT_FOLDER_H

#include <stddef.h>

/* Creates the folder in the working directory and removes it with all it holds. For cmocka_run_group_tests. */
int folder_create(void **state);
int folder_remove(void **state);

/* The absolute path of a file of that name in the folder ("" for the folder itself); the four latest answers stay
 * valid. */
const char *folder_path(const char *name);

/* Writes a whole file, or reads one (from malloc, with a zero behind its end). */
void folder_write(const char *name, const void *data, size_t bytes);
char *folder_read(const char *name, size_t *bytes);

/* How many files and folders are in the folder of that name. */
int folder_count(const char *name);

#endif
