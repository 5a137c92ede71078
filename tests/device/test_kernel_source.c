/* test_kernel_source.c: kernels find their headers, embedded or in a folder. */
#include "device/kernel_source.h"
#include "support/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void write_text(const char *name, const char *text) {
    folder_write(name, text, strlen(text));
}

static void headers_are_put_in_once(void **state) {
    (void)state;
    char *source;
    write_text("a.cl", "first\n#include \"b.h\"\n#include \"c.h\"\nlast");
    write_text("b.h", "#include \"c.h\"\nb\n");
    write_text("c.h", "c");
    assert_int_equal(kernel_source_assemble(folder_path(""), "a.cl", &source, NULL), NST_OK);
    assert_string_equal(source, "#line 1 \"a.cl\"\nfirst\n#line 1 \"b.h\"\n#line 1 \"c.h\"\nc\n#line 2 \"b.h\"\nb\n"
                                "\n#line 3 \"a.cl\"\n\n#line 4 \"a.cl\"\nlast");
    free(source);
}

static void expect_failure(const char *folder, const char *file, const char *expected) {
    nst_error error;
    char *source;
    assert_int_equal(kernel_source_assemble(folder, file, &source, &error), NST_ERROR_FILE);
    assert_null(source);
    assert_non_null(strstr(error.message, expected));
}

static void missing_files_are_named(void **state) {
    (void)state;
    write_text("d.cl", "#include \"missing.h\"\n");
    expect_failure(folder_path(""), "d.cl", "missing.h");
    expect_failure(folder_path(""), "none.cl", "none.cl");
    expect_failure(NULL, "none.cl", "no kernel file none.cl");
}

static void endless_includes_end(void **state) {
    (void)state;
    char *source;
    write_text("e.cl", "#include \"f.h\"\n");
    write_text("f.h", "#include \"e.cl\"\nf\n");
    assert_int_equal(kernel_source_assemble(folder_path(""), "e.cl", &source, NULL), NST_OK);
    free(source);
    for (int i = 0; i < 30; ++i) {
        char name[16], text[32];
        snprintf(name, sizeof name, "g%d.h", i);
        snprintf(text, sizeof text, "#include \"g%d.h\"\n", i + 1);
        write_text(name, text);
    }
    expect_failure(folder_path(""), "g0.h", "more than");
}

/* Every kernel file is in the program, byte for byte, and can be put together. */
static void embedded_copies_are_true(void **state) {
    (void)state;
    int count = 0;
    for (const struct embedded_kernel *kernel = embedded_kernels; kernel->file; ++kernel, ++count) {
        char path[1024];
        snprintf(path, sizeof path, "%s/cl/%s", NST_SOURCE_DIR, kernel->file);
        FILE *stream = fopen(path, "rb");
        assert_non_null(stream);
        char *content = calloc(1, 1 << 20), *source;
        assert_true(fread(content, 1, (1 << 20) - 1, stream) > 0);
        fclose(stream);
        assert_string_equal(kernel->text, content);
        free(content);
        assert_int_equal(kernel_source_assemble(NULL, kernel->file, &source, NULL), NST_OK);
        assert_null(strstr(source, "\n#include"));
        free(source);
    }
    assert_true(count > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_put_in_once),
        cmocka_unit_test(missing_files_are_named),
        cmocka_unit_test(endless_includes_end),
        cmocka_unit_test(embedded_copies_are_true),
    };
    return cmocka_run_group_tests(tests, folder_create, folder_remove);
}
