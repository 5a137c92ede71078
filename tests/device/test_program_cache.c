/* test_program_cache.c: whatever is doubtful about a cached program means that it is built again. */
#include "device/context.h"
#include "device/program_cache.h"
#include "support/file.h"
#include "support/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>

/* ---- Files ----------------------------------------------------------------------------------------------------- */

static struct program_cache_key key_of(const char *text) {
    return program_cache_key(&text, 1);
}

static bool reads(const char *folder, const struct program_cache_key *key, const char *expected) {
    unsigned char *content;
    size_t bytes;
    if (!program_cache_read(folder, key, &content, &bytes)) {
        assert_null(content);
        return false;
    }
    assert_int_equal(bytes, strlen(expected));
    assert_memory_equal(content, expected, bytes);
    free(content);
    return true;
}

/* The name of the only file in a folder. */
static void only_file(const char *folder, char *name, size_t size) {
    DIR *opened = opendir(folder_path(folder));
    assert_non_null(opened);
    for (const struct dirent *entry; (entry = readdir(opened)) != NULL;) {
        if (entry->d_name[0] != '.') {
            snprintf(name, size, "%s/%.200s", folder, entry->d_name);
        }
    }
    closedir(opened);
    assert_int_equal(folder_count(folder), 1);
}

static void what_is_written_is_read(void **state) {
    (void)state;
    struct program_cache_key key = key_of("a"), other = key_of("b");
    assert_false(reads(folder_path("new/cache"), &key, ""));
    assert_true(program_cache_write(folder_path("new/cache"), &key, (const unsigned char *)"program", 7));
    assert_true(reads(folder_path("new/cache"), &key, "program"));
    assert_false(reads(folder_path("new/cache"), &other, ""));
    assert_true(program_cache_write(folder_path("new/cache"), &key, (const unsigned char *)"newer", 5));
    assert_true(reads(folder_path("new/cache"), &key, "newer"));
    assert_int_equal(folder_count("new/cache"), 1);
    program_cache_remove(folder_path("new/cache"), &key);
    assert_false(reads(folder_path("new/cache"), &key, ""));
    assert_int_equal(folder_count("new/cache"), 0);
}

static void every_key_has_its_file(void **state) {
    (void)state;
    enum { PROGRAMS = 40 };
    char text[8];
    for (int pass = 0; pass < 2; ++pass) {
        for (int i = 0; i < PROGRAMS; ++i) {
            snprintf(text, sizeof text, "%d", i);
            struct program_cache_key key = key_of(text);
            if (pass == 0) {
                assert_true(program_cache_write(folder_path("many"), &key, (unsigned char *)text, strlen(text)));
            } else {
                assert_true(reads(folder_path("many"), &key, text));
            }
        }
    }
    assert_int_equal(folder_count("many"), PROGRAMS);
}

static void every_damage_is_noticed(void **state) {
    (void)state;
    struct program_cache_key key = key_of("damage");
    char name[256];
    size_t bytes;
    assert_true(program_cache_write(folder_path("damage"), &key, (const unsigned char *)"content", 7));
    only_file("damage", name, sizeof name);
    char *good = folder_read(name, &bytes);
    for (size_t i = 0; i < bytes; ++i) {
        good[i] ^= 0x20;
        folder_write(name, good, bytes);
        assert_false(reads(folder_path("damage"), &key, ""));
        good[i] ^= 0x20;
        folder_write(name, good, i);
        assert_false(reads(folder_path("damage"), &key, ""));
    }
    good[bytes] = 'x';
    folder_write(name, good, bytes + 1);
    assert_false(reads(folder_path("damage"), &key, ""));
    folder_write(name, good, bytes);
    assert_true(reads(folder_path("damage"), &key, "content"));
    free(good);
}

/* A good file under another's name is not taken for it. */
static void foreign_files_are_refused(void **state) {
    (void)state;
    struct program_cache_key a = key_of("foreign a"), b = key_of("foreign b");
    char name_a[256], name_b[256];
    size_t bytes;
    assert_true(program_cache_write(folder_path("a"), &a, (const unsigned char *)"a", 1));
    assert_true(program_cache_write(folder_path("b"), &b, (const unsigned char *)"b", 1));
    only_file("a", name_a, sizeof name_a);
    only_file("b", name_b, sizeof name_b);
    char *content = folder_read(name_a, &bytes);
    folder_write(name_b, content, bytes);
    free(content);
    assert_false(reads(folder_path("b"), &b, ""));
}

static void unwritable_folders_are_no_error(void **state) {
    (void)state;
    struct program_cache_key key = key_of("c");
    folder_write("file", "x", 1);
    assert_false(program_cache_write(folder_path("file"), &key, (const unsigned char *)"c", 1));
    assert_false(program_cache_write(folder_path("file/below"), &key, (const unsigned char *)"c", 1));
    assert_false(reads(folder_path("file"), &key, ""));
}

static void keys_tell_texts_apart(void **state) {
    (void)state;
    const char *a[] = {"ab", "c"}, *b[] = {"a", "bc"}, *c[] = {"ab", "c", ""};
    struct program_cache_key key_a = program_cache_key(a, 2), same = program_cache_key(a, 2);
    struct program_cache_key key_b = program_cache_key(b, 2), key_c = program_cache_key(c, 3);
    assert_memory_equal(&key_a, &same, sizeof key_a);
    assert_memory_not_equal(&key_a, &key_b, sizeof key_a);
    assert_memory_not_equal(&key_a, &key_c, sizeof key_a);
}

static void expect_folder(const char *own, const char *shared, const char *home, const char *expected) {
    const char *const names[] = {"NST_CACHE_DIR", "XDG_CACHE_HOME", "HOME"}, *const values[] = {own, shared, home};
    for (int i = 0; i < 3; ++i) {
        if (values[i]) {
            setenv(names[i], values[i], 1);
        } else {
            unsetenv(names[i]);
        }
    }
    char *folder = program_cache_folder();
    if (expected) {
        assert_non_null(folder);
        assert_string_equal(folder, expected);
    } else {
        assert_null(folder);
    }
    free(folder);
}

static void folders_in_their_order(void **state) {
    (void)state;
    char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
    expect_folder("/own", "/shared", "/home", "/own");
    expect_folder("", "/shared", "/home", "/shared/nst");
    expect_folder(NULL, "relative", "/home", "/home/.cache/nst");
    expect_folder(NULL, NULL, "/home", "/home/.cache/nst");
    expect_folder(NULL, NULL, NULL, NULL);
    if (home) {
        setenv("HOME", home, 1);
    }
    free(home);
}

/* ---- Programs -------------------------------------------------------------------------------------------------- */

static const char kernel_text[] = "__kernel void answer(__global int *out) { out[0] = 42; }\n";

static const char other_text[] = "__kernel void answer(__global int *out) { out[0] = 43; }\n";

/* Opens the device, builds the kernel, runs it and closes again. */
static int answer_with_cache(const char *folder, bool no_cache) {
    nst_context *context;
    cl_kernel kernel;
    cl_mem buffer;
    int answer = 0;
    setenv("NST_CACHE_DIR", folder, 1);
    nst_context_options options = {.no_cache = no_cache};
    assert_int_equal(nst_context_create(&options, &context, NULL), NST_OK);
    assert_int_equal(kernel_create(context, "answer.cl", "", "answer", &kernel, NULL), NST_OK);
    assert_int_equal(buffer_create(context, sizeof answer, "answer", &buffer, NULL), NST_OK);
    assert_int_equal(kernel_run(context, kernel, work_items(1), ARGUMENTS(arg_buffer(buffer)), NULL), NST_OK);
    assert_int_equal(buffer_read(context, buffer, 0, &answer, sizeof answer, NULL), NST_OK);
    kernel_release(&kernel);
    buffer_release(context, &buffer);
    nst_context_destroy(context);
    return answer;
}

/* The answer must be right whatever is in the cache. */
static void run_with_cache(const char *folder, bool no_cache) {
    assert_int_equal(answer_with_cache(folder, no_cache), 42);
}

static void programs_are_kept(void **state) {
    (void)state;
    char name[256];
    size_t bytes, bytes_after;
    folder_write("answer.cl", kernel_text, sizeof kernel_text - 1);
    setenv("NST_KERNEL_DIR", folder_path(""), 1);
    run_with_cache(folder_path("unused"), true);
    assert_int_equal(folder_count("unused"), -1);

    run_with_cache(folder_path("kept"), false);
    only_file("kept", name, sizeof name);
    char *first = folder_read(name, &bytes);
    run_with_cache(folder_path("kept"), false);
    assert_int_equal(folder_count("kept"), 1);

    /* Damaged or empty: built again and replaced. */
    folder_write(name, first, bytes / 2);
    run_with_cache(folder_path("kept"), false);
    char *second = folder_read(name, &bytes_after);
    assert_true(bytes_after > bytes / 2);
    free(second);
    folder_write(name, "", 0);
    run_with_cache(folder_path("kept"), false);
    second = folder_read(name, &bytes_after);
    assert_true(bytes_after > bytes / 2);
    free(second);
    free(first);
}

static bool is_rusticl(void) {
    nst_context *context;
    assert_int_equal(nst_context_create(NULL, &context, NULL), NST_OK);
    bool answer = strcmp(nst_context_device(context)->platform, "rusticl") == 0;
    nst_context_destroy(context);
    return answer;
}

/* A good file whose content is nothing that the driver knows: the same. */
static void refused_binaries_are_replaced(void **state) {
    (void)state;
    if (is_rusticl()) {
        skip(); /* aborts: see traits.c */
    }
    char name[256];
    size_t bytes, bytes_after;
    folder_write("answer.cl", kernel_text, sizeof kernel_text - 1);
    setenv("NST_KERNEL_DIR", folder_path(""), 1);
    run_with_cache(folder_path("refused"), false);
    only_file("refused", name, sizeof name);
    char *first = folder_read(name, &bytes), *second;
    struct program_cache_key key;
    memcpy(key.digest, first + 20, sizeof key.digest); /* see program_cache.h */
    assert_true(program_cache_write(folder_path("refused"), &key, (const unsigned char *)"not a program", 13));
    run_with_cache(folder_path("refused"), false);
    second = folder_read(name, &bytes_after);
    assert_true(bytes_after > bytes / 2);
    free(second);
    free(first);
}

/* The second start takes the binary: when another program's is put in its place, that one's answer comes out. */
static void binaries_are_used(void **state) {
    (void)state;
    enum { KEY_OFFSET = 20, HEADER_BYTES = 84 };
    char name[256], other_name[256];
    size_t bytes, other_bytes;
    struct program_cache_key key;
    setenv("NST_KERNEL_DIR", folder_path(""), 1);
    folder_write("answer.cl", other_text, sizeof other_text - 1);
    assert_int_equal(answer_with_cache(folder_path("other"), false), 43);
    folder_write("answer.cl", kernel_text, sizeof kernel_text - 1);
    run_with_cache(folder_path("used"), false);
    only_file("used", name, sizeof name);
    only_file("other", other_name, sizeof other_name);
    assert_string_not_equal(strchr(name, '/'), strchr(other_name, '/'));

    char *file = folder_read(name, &bytes), *other = folder_read(other_name, &other_bytes);
    memcpy(key.digest, file + KEY_OFFSET, sizeof key.digest);
    assert_true(program_cache_write(folder_path("used"), &key, (unsigned char *)other + HEADER_BYTES,
                                    other_bytes - HEADER_BYTES));
    assert_int_equal(answer_with_cache(folder_path("used"), false), 43);
    free(file);
    free(other);
}

static void an_unwritable_cache_does_no_harm(void **state) {
    (void)state;
    setenv("NST_KERNEL_DIR", folder_path(""), 1);
    folder_write("answer.cl", kernel_text, sizeof kernel_text - 1);
    folder_write("blocked", "x", 1);
    run_with_cache(folder_path("blocked/cache"), false);
    size_t bytes;
    char *content = folder_read("blocked", &bytes);
    assert_string_equal(content, "x");
    free(content);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),          cmocka_unit_test(every_key_has_its_file),
        cmocka_unit_test(every_damage_is_noticed),          cmocka_unit_test(foreign_files_are_refused),
        cmocka_unit_test(unwritable_folders_are_no_error),  cmocka_unit_test(keys_tell_texts_apart),
        cmocka_unit_test(folders_in_their_order),           cmocka_unit_test(programs_are_kept),
        cmocka_unit_test(refused_binaries_are_replaced),    cmocka_unit_test(binaries_are_used),
        cmocka_unit_test(an_unwritable_cache_does_no_harm),
    };
    return cmocka_run_group_tests(tests, folder_create, folder_remove);
}
