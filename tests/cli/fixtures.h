/* fixtures.h: what the tests of the program need: a folder of their own, pictures, a small network, and a way to run
 * it. */
#ifndef TESTS_CLI_FIXTURES_H
#define TESTS_CLI_FIXTURES_H

#include "nst.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <sys/types.h>

/* Makes a temporary folder, changes into it, and puts there: content.png (48 x 36), style.png (40 x 40), and
 * small.safetensors, a network with VGG-19's layers up to relu5_1, few channels and random weights. For
 * cmocka_run_group_tests. The second removes it. */
int fixtures_create(void **state);
int fixtures_remove(void **state);

/* A picture of smooth colors and some noise. */
void fixture_write_picture(const char *path, int width, int height, uint64_t seed);

/* What can be wrong with a network that a test makes. */
enum network_fault { NETWORK_FINE, NETWORK_NAN, NETWORK_WRONG_SHAPE, NETWORK_LACKS_LAYER, NETWORK_SILENT };
void fixture_write_network(const char *path, enum network_fault fault);

void fixture_write_file(const char *path, const void *data, size_t bytes);
/* The whole file with a zero behind it, from malloc; NULL if there is none. */
char *fixture_read_file(const char *path, size_t *bytes);
/* Waits until a file has content, for a minute at most: such as a log, so that the loop is known to run. */
void fixture_wait_for_file(const char *path);
/* Writes the first `bytes` of one file into another. */
void fixture_copy_start(const char *from, const char *to, size_t bytes);

/* Copies the kernels into a new folder, in one file every `from` replaced by `to`. */
void fixture_copy_kernels(const char *folder, const char *file, const char *from, const char *to);

/* What a run of the program did. */
struct outcome {
    int status; /* its exit status; 128 + number if a signal ended it */
    char out[65536], err[65536];
};

/* How it is run besides its arguments; all may be zero. */
struct surroundings {
    const char *variable, *value; /* set in its environment */
    const char *terminal;         /* standard error goes to this device instead of a file */
};

/* Runs the program with the words of `line`, which are separated by spaces. The outcome is overwritten by the next run.
 */
const struct outcome *program_run(const char *line, const struct surroundings *surroundings);

/* The same in two steps, for what must happen in between. program_fill_disk makes every write of the running program
 * fail behind that length of a file, as on a full disk. */
pid_t program_start(const char *line, const struct surroundings *surroundings);
void program_fill_disk(pid_t process, size_t length_bytes);
const struct outcome *program_finish(pid_t process);

/* Fails unless `err` is a single line that begins with "nst: error: ". `line` says whose. */
void assert_one_error_line(const char *line, const char *err);

#endif
