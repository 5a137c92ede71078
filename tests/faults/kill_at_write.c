/* kill_at_write.c: preloaded into a program, kills it at the call of fwrite, fsync or rename whose number NST_KILL_AT
 * tells, as a power failure would, before the call does anything; 0 never. At the end of the program the number of calls
 * goes into the file that NST_KILL_COUNT names. For tests/kill_and_resume.py. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define VISIBLE __attribute__((visibility("default")))

static long calls;

static void count_call(void) {
    const char *number = getenv("NST_KILL_AT");
    if (++calls == (number ? atol(number) : 0)) {
        kill(getpid(), SIGKILL);
    }
}

VISIBLE size_t fwrite(const void *restrict data, size_t size, size_t count, FILE *restrict stream) {
    size_t (*next)(const void *, size_t, size_t, FILE *) = NULL;
    *(void **)&next = dlsym(RTLD_NEXT, "fwrite");
    count_call();
    return next(data, size, count, stream);
}

VISIBLE int fsync(int file) {
    int (*next)(int) = NULL;
    *(void **)&next = dlsym(RTLD_NEXT, "fsync");
    count_call();
    return next(file);
}

VISIBLE int rename(const char *from, const char *to) {
    int (*next)(const char *, const char *) = NULL;
    *(void **)&next = dlsym(RTLD_NEXT, "rename");
    count_call();
    return next(from, to);
}

__attribute__((destructor)) static void tell(void) {
    const char *path = getenv("NST_KILL_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%ld\n", calls);
        fclose(file);
    }
}
