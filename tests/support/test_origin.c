/* test_origin.c: files are found by the way from the running code to them. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "support/folder.h"
#include "support/origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

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

/* A program that was found through PATH is called by its bare name: a file of that name in the working directory is
 * not it. */
static void bare_names_are_not_looked_for_here(void **state) {
    const char *program = *state, *name = strrchr(program, '/') + 1;
    int ended;
    folder_write(name, "", 0);
    pid_t process = fork();
    if (process == 0) {
        _exit(chdir(folder_path("")) != 0 || execl(program, name, "--bare", NULL));
    }
    assert_int_equal(waitpid(process, &ended, 0), process);
    assert_int_equal(ended, 0);
}

static int run_by_bare_name(void) {
    char *found = origin_of_code("."), *here = realpath(".", NULL);
    int failed = found && strcmp(found, here) == 0;
    free(found);
    free(here);
    return failed;
}

int main(int count, char **arguments) {
    if (count > 1) {
        return run_by_bare_name();
    }
    char *program = realpath(arguments[0], NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(what_lies_beside_is_found, program),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test_prestate(bare_names_are_not_looked_for_here, program),
    };
    int failures = cmocka_run_group_tests_name("support.origin", tests, folder_create, folder_remove);
    free(program);
    return failures;
}
