/* test_program.c: the program while OpenCL fails under it, and on caches that are damaged, foreign, shared with another
 * process or not to be written. opencl_faults.h is preloaded into it. */
#include "cli/fixtures.h"
#include "faults/opencl_faults.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Always the same command, which the picture records. */
#define JOB                                                                                                            \
    "content.png style.png --network ./small.safetensors --size 24 --scales 1 --iterations 2 --quiet -o painted.png"

/* ---- Running --------------------------------------------------------------------------------------------------- */

/* What the preloaded library and this process both see. */
static struct opencl_faults *faults;

static int create_all(void **state) {
    if (fixtures_create(state) != 0) {
        return -1;
    }
    struct opencl_faults none = {0};
    fixture_write_file("faults", &none, sizeof none);
    int file = open("faults", O_RDWR);
    faults = mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    char path[4096];
    return faults != MAP_FAILED && getcwd(path, sizeof path - 8) && strcat(path, "/faults") &&
                   setenv("NST_TEST_FAULTS", path, 1) == 0
               ? 0
               : -1;
}

static pid_t start(const char *line) {
    static const struct surroundings preloaded = {.variable = "LD_PRELOAD", .value = FAULTS_LIBRARY};
    return program_start(line, &preloaded);
}

static const struct outcome *run(const char *line) {
    *faults = (struct opencl_faults){0};
    return program_finish(start(line));
}

static void assert_fine(const struct outcome *outcome) {
    if (outcome->status != 0) {
        fail_msg("the program ended with %d: %s", outcome->status, outcome->err);
    }
}

static bool same_files(const char *path, const char *other_path) {
    size_t bytes = 0, other_bytes = 0;
    char *data = fixture_read_file(path, &bytes), *other = fixture_read_file(other_path, &other_bytes);
    bool same = data && other && bytes == other_bytes && memcmp(data, other, bytes) == 0;
    free(data);
    free(other);
    return same;
}

static int count_files(const char *folder) {
    DIR *stream = opendir(folder);
    int count = 0;
    while (stream && readdir(stream)) {
        ++count;
    }
    if (stream) {
        closedir(stream);
    }
    return count;
}

static int calls_of(const char *function) {
    for (int i = 0; i < faults->function_count; ++i) {
        if (strcmp(faults->functions[i].name, function) == 0) {
            return faults->functions[i].first_call;
        }
    }
    return 0;
}

/* ---- Calls that fail -------------------------------------------------------------------------------------------- */

/* Keeps the picture of a run without faults. */
static void paint_expected(void) {
    assert_fine(run(JOB));
    assert_int_equal(rename("painted.png", "expected.png"), 0);
}

static void a_failing_call_leaves_nothing_half_done(void **state) {
    (void)state;
    paint_expected();
    int calls = faults->calls, files = count_files("."), refused = 0;
    const char *every = getenv("NST_TEST_FAULTS_EVERY");
    int step = every && strcmp(every, "1") == 0 ? 1 : calls / 16;
    for (int call = 1; call <= calls; call += step) {
        *faults = (struct opencl_faults){.failing_call = call, .code = -5};
        const struct outcome *outcome = program_finish(start(JOB));
        if (outcome->status == 0) {
            if (!same_files("painted.png", "expected.png")) {
                fail_msg("without %s, the call of number %d, another picture was painted", faults->failed_function,
                         call);
            }
            assert_int_equal(remove("painted.png"), 0);
        } else {
            assert_int_equal(outcome->status, 1);
            assert_int_equal(strncmp(outcome->err, "nst: error: ", 12), 0);
            /* CLBlast tells the code only, not which of its calls it was. */
            bool is_named = strstr(outcome->err, faults->failed_function) || strstr(outcome->err, "CLBlast");
            if (!is_named || !strstr(outcome->err, "CL_OUT_OF_RESOURCES (-5)")) {
                fail_msg("%s, the call of number %d, is told as: %s", faults->failed_function, call, outcome->err);
            }
            ++refused;
        }
        assert_int_equal(count_files("."), files);
        for (int kind = 0; kind < FAULTS_OBJECT_KINDS; ++kind) {
            assert_int_equal(faults->live[kind], 0);
        }
    }
    print_message("%d calls, every %dth failed in turn: %d jobs refused\n", calls, step, refused);
    assert_true(refused > 0);
}

/* The device may be out of memory for the moment: only what it computes wrongly is held against it later. */
static void a_check_that_cannot_run_is_not_remembered(void **state) {
    (void)state;
    setenv("NST_CACHE_DIR", "first", 1);
    assert_fine(run(JOB));
    int launch = calls_of("clEnqueueNDRangeKernel");
    setenv("NST_CACHE_DIR", "second", 1);
    *faults = (struct opencl_faults){.failing_call = launch, .code = -5};
    const struct outcome *outcome = program_finish(start(JOB));
    assert_int_equal(outcome->status, 1);
    assert_non_null(strstr(outcome->err, "does not get through its self-test"));
    assert_fine(run(JOB));
    unsetenv("NST_CACHE_DIR");
}

/* ---- Caches ------------------------------------------------------------------------------------------------------ */

/* Calls `damage` for every file of the folder, with its path and that of the file before it ("" for the first). */
static void for_each_file(const char *folder, void damage(const char *path, const char *before)) {
    DIR *stream = opendir(folder);
    assert_non_null(stream);
    char path[512] = "", before[512];
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (entry->d_name[0] != '.') {
            memcpy(before, path, sizeof before);
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            damage(path, before);
        }
    }
    closedir(stream);
}

static void flip_a_byte(const char *path, const char *before) {
    (void)before;
    size_t bytes = 0;
    char *data = fixture_read_file(path, &bytes);
    assert_true(data && bytes > 0);
    data[bytes / 2] ^= 1;
    fixture_write_file(path, data, bytes);
    free(data);
}

static void cut_in_half(const char *path, const char *before) {
    (void)before;
    size_t bytes = 0;
    char *data = fixture_read_file(path, &bytes);
    assert_non_null(data);
    fixture_write_file(path, data, bytes / 2);
    free(data);
}

static void put_another_file(const char *path, const char *before) {
    size_t bytes = 0;
    char *data = before[0] ? fixture_read_file(before, &bytes) : NULL;
    fixture_write_file(path, data ? data : "not ours", data ? bytes : 8);
    free(data);
}

/* The cache as it is now serves a run that builds nothing. */
static void assert_complete_cache(void) {
    assert_fine(run(JOB));
    assert_true(same_files("painted.png", "expected.png"));
    /* CLBlast, which builds programs of its own, asks for the device of a queue; nst does not. */
    assert_true(calls_of("clCreateProgramWithSource") == 0 || calls_of("clGetCommandQueueInfo") > 0);
    assert_true(calls_of("clCreateProgramWithBinary") > 0);
}

static void damaged_caches_are_made_anew(void **state) {
    (void)state;
    void (*const damages[])(const char *, const char *) = {flip_a_byte, cut_in_half, put_another_file};
    setenv("NST_CACHE_DIR", "cache", 1);
    paint_expected();
    assert_complete_cache();
    for (size_t i = 0; i < sizeof damages / sizeof *damages; ++i) {
        for_each_file("cache", damages[i]);
        assert_fine(run(JOB));
        assert_true(calls_of("clCreateProgramWithSource") > 0);
        assert_true(same_files("painted.png", "expected.png"));
    }
    assert_complete_cache();
}

static void two_processes_fill_one_cache(void **state) {
    (void)state;
    setenv("NST_CACHE_DIR", "shared", 1);
    *faults = (struct opencl_faults){0};
    pid_t first = start(JOB), second = start(JOB);
    assert_fine(program_finish(first));
    assert_fine(program_finish(second));
    assert_true(same_files("painted.png", "expected.png"));
    assert_complete_cache();
}

static void caches_that_cannot_be_written(void **state) {
    (void)state;
    static const char *const folders[] = {"style.png/cache", "/proc/nst", "/dev/full"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; ++i) {
        setenv("NST_CACHE_DIR", folders[i], 1);
        const struct outcome *outcome = run(JOB);
        assert_fine(outcome);
        assert_string_equal(outcome->err, "");
        assert_true(same_files("painted.png", "expected.png"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failing_call_leaves_nothing_half_done),
        cmocka_unit_test(a_check_that_cannot_run_is_not_remembered), cmocka_unit_test(damaged_caches_are_made_anew),
        cmocka_unit_test(two_processes_fill_one_cache), cmocka_unit_test(caches_that_cannot_be_written)};
    return cmocka_run_group_tests(tests, create_all, fixtures_remove);
}
