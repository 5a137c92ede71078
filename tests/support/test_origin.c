/* test_origin.c: files are found by the way from the running code to them. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "support/origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* This program holds the code itself: both ways lead to the same. */
static void what_lies_beside_is_found(void **state) {
    char *program = *state;
    const char *name = strrchr(program, '/') + 1;
    char *found = origin_of_code(name), *again = origin_of_program(name);
    assert_non_null(found);
    assert_string_equal(found, program);
    assert_string_equal(again, program);
    free(found);
    free(again);
}

static void what_is_not_there_is_not_found(void **state) {
    (void)state;
    assert_null(origin_of_code("../no/such/folder"));
    assert_null(origin_of_program("../no/such/folder"));
}

int main(int count, char **arguments) {
    (void)count;
    char *program = realpath(arguments[0], NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(what_lies_beside_is_found, program),
        cmocka_unit_test(what_is_not_there_is_not_found),
    };
    int failures = cmocka_run_group_tests_name("support.origin", tests, NULL, NULL);
    free(program);
    return failures;
}
