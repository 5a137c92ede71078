/* test_file.c: files are read whole or refused, and replaced whole or left alone. */
#include "support/file.h"
#include "support/folder.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void reads_whole_files(void **state) {
    (void)state;
    for (size_t size = 0; size < 70000; size = 3 * size + 1) {
        char *content = calloc(size + 1, 1);
        memset(content, 'x', size);
        folder_write("some", content, size);
        unsigned char *data;
        size_t bytes;
        assert_int_equal(file_read(folder_path("some"), "picture", 1 << 20, &data, &bytes, NULL), NST_OK);
        assert_int_equal(bytes, size);
        assert_memory_equal(data, content, size + 1);
        free(data);
        free(content);
    }
}

/* Nobody tells the size of what comes through a pipe. */
static void reads_pipes(void **state) {
    (void)state;
    const size_t size = 200000;
    char *content = calloc(size + 1, 1);
    for (size_t i = 0; i < size; ++i) {
        content[i] = (char)('a' + i % 23);
    }
    assert_int_equal(mkfifo(folder_path("pipe"), 0600), 0);
    pid_t writer = fork();
    if (writer == 0) {
        FILE *stream = fopen(folder_path("pipe"), "wb");
        _exit(stream && fwrite(content, 1, size, stream) == size && fclose(stream) == 0 ? 0 : 1);
    }
    unsigned char *data;
    size_t bytes;
    int ended;
    assert_int_equal(file_read(folder_path("pipe"), "picture", 1 << 20, &data, &bytes, NULL), NST_OK);
    assert_int_equal(waitpid(writer, &ended, 0), writer);
    assert_int_equal(ended, 0);
    assert_int_equal(bytes, size);
    assert_memory_equal(data, content, size + 1);
    free(data);
    free(content);
}

static void expect_unreadable(const char *path, nst_status status, const char *expected) {
    unsigned char *data;
    size_t bytes;
    nst_error error;
    assert_int_equal(file_read(path, "picture", 10, &data, &bytes, &error), status);
    assert_null(data);
    assert_int_equal(error.status, status);
    assert_non_null(strstr(error.message, expected));
    assert_non_null(strstr(error.message, path));
}

static void refuses_what_is_no_file(void **state) {
    (void)state;
    folder_write("large", "0123456789a", 11);
    expect_unreadable(folder_path("none"), NST_ERROR_FILE, "cannot open picture");
    expect_unreadable(folder_path(""), NST_ERROR_FILE, "it is a folder");
    expect_unreadable(folder_path("large"), NST_ERROR_FORMAT, "larger than the 10 bytes");
    expect_unreadable("/dev/zero", NST_ERROR_FORMAT, "larger than the 10 bytes");
    assert_int_equal(file_read(folder_path("none"), "picture", 10, &(unsigned char *){0}, &(size_t){0}, NULL),
                     NST_ERROR_FILE);
}

static void limit_is_allowed(void **state) {
    (void)state;
    unsigned char *data;
    size_t bytes;
    folder_write("ten", "0123456789", 10);
    assert_int_equal(file_read(folder_path("ten"), "picture", 10, &data, &bytes, NULL), NST_OK);
    assert_int_equal(bytes, 10);
    free(data);
}

static void expect_content(const char *name, const char *expected) {
    size_t bytes;
    char *content = folder_read(name, &bytes);
    assert_string_equal(content, expected);
    free(content);
}

static void replaces_on_commit_only(void **state) {
    (void)state;
    struct file_replacement replacement;
    folder_write("target", "old", 3);
    int before = folder_count("");
    assert_int_equal(file_replacement_begin(&replacement, folder_path("target"), NULL), NST_OK);
    fputs("new", replacement.stream);
    fflush(replacement.stream);
    expect_content("target", "old");
    assert_int_equal(folder_count(""), before + 1);
    assert_int_equal(file_replacement_commit(&replacement, NULL), NST_OK);
    expect_content("target", "new");
    assert_int_equal(folder_count(""), before);
    file_replacement_abort(&replacement);
    expect_content("target", "new");

    assert_int_equal(file_replacement_begin(&replacement, folder_path("target"), NULL), NST_OK);
    fputs("half", replacement.stream);
    file_replacement_abort(&replacement);
    expect_content("target", "new");
    assert_int_equal(folder_count(""), before);
    file_replacement_abort(&replacement);
}

static void keeps_mode_and_link(void **state) {
    (void)state;
    struct file_replacement replacement;
    struct stat info;
    folder_write("real", "old", 3);
    assert_int_equal(chmod(folder_path("real"), 0640), 0);
    assert_int_equal(symlink("real", folder_path("link")), 0);
    assert_int_equal(file_replacement_begin(&replacement, folder_path("link"), NULL), NST_OK);
    fputs("new", replacement.stream);
    assert_int_equal(file_replacement_commit(&replacement, NULL), NST_OK);
    expect_content("real", "new");
    assert_int_equal(lstat(folder_path("link"), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(stat(folder_path("real"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
}

static void refuses_targets_that_are_no_files(void **state) {
    (void)state;
    struct file_replacement replacement;
    nst_error error;
    folder_write("file", "x", 1);
    assert_int_equal(file_replacement_begin(&replacement, folder_path(""), &error), NST_ERROR_FILE);
    assert_non_null(strstr(error.message, "it is a folder"));
    assert_int_equal(file_replacement_begin(&replacement, "/dev/null", &error), NST_ERROR_FILE);
    assert_non_null(strstr(error.message, "not a regular file"));
    assert_int_equal(file_replacement_begin(&replacement, folder_path("file/below"), &error), NST_ERROR_FILE);
    assert_int_equal(file_replacement_begin(&replacement, folder_path("nowhere/file"), &error), NST_ERROR_FILE);
    assert_non_null(strstr(error.message, "nowhere/file"));
    file_replacement_abort(&replacement);
}

static void full_disk_leaves_the_old_file(void **state) {
    (void)state;
    struct file_replacement replacement;
    nst_error error;
    folder_write("target", "old", 3);
    int before = folder_count("");
    assert_int_equal(file_replacement_begin(&replacement, folder_path("target"), NULL), NST_OK);
    /* /dev/full takes the place of the temporary file's stream: every write to it fails. */
    replacement.stream = freopen("/dev/full", "wb", replacement.stream);
    if (!replacement.stream) {
        file_replacement_abort(&replacement);
        skip();
    }
    fputs("new", replacement.stream);
    assert_int_equal(file_replacement_commit(&replacement, &error), NST_ERROR_FILE);
    assert_non_null(strstr(error.message, "cannot write"));
    expect_content("target", "old");
    assert_int_equal(folder_count(""), before);
}

/* Writing fails once, and later writes do not; or the file cannot take its place in the end. */
static void every_failure_is_told(void **state) {
    (void)state;
    struct file_replacement replacement;
    nst_error error;
    folder_write("target", "old", 3);
    int before = folder_count("");
    assert_int_equal(file_replacement_begin(&replacement, folder_path("target"), NULL), NST_OK);
    assert_int_equal(fgetc(replacement.stream), EOF); /* it is for writing: an error of the stream */
    fputs("new", replacement.stream);
    assert_int_equal(file_replacement_commit(&replacement, &error), NST_ERROR_FILE);
    expect_content("target", "old");

    assert_int_equal(file_replacement_begin(&replacement, folder_path("taken"), NULL), NST_OK);
    assert_int_equal(mkdir(folder_path("taken"), 0700), 0);
    assert_int_equal(file_replacement_commit(&replacement, &error), NST_ERROR_FILE);
    assert_int_equal(rmdir(folder_path("taken")), 0);
    assert_int_equal(folder_count(""), before);
}

static void makes_folders(void **state) {
    (void)state;
    nst_error error;
    folder_write("file", "x", 1);
    assert_int_equal(file_make_folders(folder_path("a/b//c"), NULL), NST_OK);
    assert_true(file_exists(folder_path("a/b/c")));
    assert_int_equal(file_make_folders(folder_path("a/b/c"), NULL), NST_OK);
    assert_int_equal(file_make_folders(folder_path("d/"), NULL), NST_OK);
    assert_true(file_exists(folder_path("d")));
    assert_int_equal(file_make_folders(folder_path("file"), &error), NST_ERROR_FILE);
    assert_int_equal(file_make_folders(folder_path("file/a"), &error), NST_ERROR_FILE);
    assert_false(file_exists(folder_path("e")));
    assert_int_equal(symlink("nowhere", folder_path("dangling")), 0);
    assert_int_equal(file_make_folders(folder_path("dangling"), &error), NST_ERROR_FILE);
    assert_non_null(strstr(error.message, strerror(EEXIST)));
}

static void makes_the_folder_of_a_file(void **state) {
    (void)state;
    assert_int_equal(file_make_folder_of(folder_path("f/g/picture.png"), NULL), NST_OK);
    assert_true(file_exists(folder_path("f/g")));
    assert_false(file_exists(folder_path("f/g/picture.png")));
    assert_int_equal(file_make_folder_of("picture.png", NULL), NST_OK);
    assert_int_equal(file_make_folder_of("/picture.png", NULL), NST_OK);
}

static void joins_names(void **state) {
    (void)state;
    static const char *const cases[][4] = {
        {"a", "b", "", "a/b"}, {"a/", "b", ".bin", "a/b.bin"}, {"/", "b", "", "/b"}, {"", "b", ".bin", "b.bin"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *path = file_join(cases[i][0], cases[i][1], cases[i][2]);
        assert_string_equal(path, cases[i][3]);
        free(path);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_whole_files),
        cmocka_unit_test(reads_pipes),
        cmocka_unit_test(refuses_what_is_no_file),
        cmocka_unit_test(limit_is_allowed),
        cmocka_unit_test(replaces_on_commit_only),
        cmocka_unit_test(keeps_mode_and_link),
        cmocka_unit_test(refuses_targets_that_are_no_files),
        cmocka_unit_test(full_disk_leaves_the_old_file),
        cmocka_unit_test(every_failure_is_told),
        cmocka_unit_test(makes_folders),
        cmocka_unit_test(makes_the_folder_of_a_file),
        cmocka_unit_test(joins_names),
    };
    return cmocka_run_group_tests(tests, folder_create, folder_remove);
}
