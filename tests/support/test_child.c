/* test_child.c: answers of child processes arrive whole or not at all, whatever becomes of the child. */
#define _XOPEN_SOURCE 700 /* setitimer */
#include "support/child.h"
#include "support/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void pause_ms(int ms) {
    struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) != 0) {
        ;
    }
}

/* Sanitizers have a handler of their own for this signal. */
static void crash(void) {
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

/* ---- One answer -------------------------------------------------------------------------------------------------- */

struct answer {
    int number, process;
};

static pid_t test_process;

static void triple(void *user, void *result) {
    struct answer *answer = result;
    if (getpid() == test_process) {
        _exit(1); /* else this program would end here, and well */
    }
    *answer = (struct answer){3 * *(int *)user, (int)getpid()};
}

static void crash_after_answering(void *user, void *result) {
    triple(user, result);
    crash();
}

static void leave_after_answering(void *user, void *result) {
    triple(user, result);
    _exit(0);
}

static void hang(void *user, void *result) {
    (void)user, (void)result;
    pause_ms(60000);
}

static void a_task_is_done_in_another_process(void **state) {
    (void)state;
    int number = 7;
    struct answer answer = {0, 0};
    assert_true(child_run(triple, &number, &answer, sizeof answer, 10000));
    assert_int_equal(answer.number, 21);
    assert_int_not_equal(answer.process, getpid());
}

static void without_an_answer_the_result_is_as_it_was(void **state) {
    (void)state;
    child_task *const tasks[] = {crash_after_answering, leave_after_answering, hang};
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; ++i) {
        int number = 7;
        struct answer answer = {5, 6};
        double start = seconds_now();
        assert_false(child_run(tasks[i], &number, &answer, sizeof answer, 300));
        assert_true(answer.number == 5 && answer.process == 6);
        assert_true(seconds_now() - start < 30);
    }
}

/* ---- Parts ------------------------------------------------------------------------------------------------------- */

enum { LARGE = 3 << 20 }; /* more than a pipe holds */

static void tell_large(void *user, int pipe_end) {
    char *data = malloc(LARGE);
    memset(data, *(char *)user, LARGE);
    child_send(pipe_end, data, LARGE);
    child_send(pipe_end, "end", 3);
    free(data);
}

static void tell_late(void *user, int pipe_end) {
    pause_ms(*(int *)user);
    child_send(pipe_end, "x", 1);
}

static void tell_and_crash(void *user, int pipe_end) {
    (void)user;
    child_send(pipe_end, "x", 1);
    crash();
}

static void tell_and_hang(void *user, int pipe_end) {
    (void)user;
    child_send(pipe_end, "x", 1);
    pause_ms(60000);
}

static void tell_for_ever(void *user, int pipe_end) {
    (void)user;
    for (;;) {
        child_send(pipe_end, "x", 1);
    }
}

static void start(child_talk *talk, void *user, int patience_ms, struct child *child) {
    nst_error error;
    if (child_start(talk, user, "be tested", patience_ms, child, &error)) {
        fail_msg("%s", error.message);
    }
}

static void large_answers_arrive_in_parts(void **state) {
    (void)state;
    struct child child;
    char ending[CHILD_ENDING_LENGTH], filling = 'f', *data = calloc(LARGE, 1), end[3];
    start(tell_large, &filling, 10000, &child);
    assert_true(child_receive(&child, data, LARGE / 3));
    assert_true(child_receive(&child, data + LARGE / 3, LARGE - LARGE / 3));
    assert_true(child_receive(&child, end, sizeof end));
    for (int i = 0; i < LARGE; ++i) {
        assert_int_equal(data[i], filling);
    }
    assert_memory_equal(end, "end", 3);
    assert_false(child_receive(&child, end, 1));
    child_end(&child, ending);
    assert_string_equal(ending, "ended the program");
    free(data);
}

static void a_crash_is_told(void **state) {
    (void)state;
    struct child child;
    char ending[CHILD_ENDING_LENGTH], expected[CHILD_ENDING_LENGTH], byte;
    start(tell_and_crash, NULL, 10000, &child);
    assert_true(child_receive(&child, &byte, 1));
    assert_false(child_receive(&child, &byte, 1));
    child_end(&child, ending);
    snprintf(expected, sizeof expected, "crashed (%s)", strsignal(SIGSEGV));
    assert_string_equal(ending, expected);
}

static void a_silent_child_is_killed(void **state) {
    (void)state;
    struct child child;
    char ending[CHILD_ENDING_LENGTH], byte;
    double begin = seconds_now();
    start(tell_and_hang, NULL, 1200, &child);
    assert_true(child_receive(&child, &byte, 1));
    assert_false(child_receive(&child, &byte, 1));
    assert_true(seconds_now() - begin >= 1.2);
    child_end(&child, ending);
    assert_string_equal(ending, "did not answer within 2 seconds");
    assert_true(seconds_now() - begin < 30);
    assert_int_equal(kill((pid_t)child.process, 0), -1); /* it is gone, and was waited for */
}

/* The patience is for each part. */
static void waiting_may_be_without_limit(void **state) {
    (void)state;
    struct child child;
    char ending[CHILD_ENDING_LENGTH], byte = 0;
    int late_ms = 300;
    start(tell_late, &late_ms, CHILD_FOREVER, &child);
    assert_true(child_receive(&child, &byte, 1));
    child_end(&child, ending);
    assert_int_equal(byte, 'x');
}

static void a_child_ends_when_nobody_listens(void **state) {
    (void)state;
    struct child child;
    char ending[CHILD_ENDING_LENGTH], byte;
    for (int ignored = 0; ignored < 2; ++ignored) {
        signal(SIGPIPE, ignored ? SIG_IGN : SIG_DFL);
        start(tell_for_ever, NULL, 10000, &child);
        assert_true(child_receive(&child, &byte, 1));
        child_end(&child, ending);
    }
    signal(SIGPIPE, SIG_DFL);
}

/* ---- Signals and files ------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t caught;

static void handle(int signal_number) {
    (void)signal_number;
    caught = 1;
}

static void raise_and_tell(void *user, int pipe_end) {
    raise(*(int *)user);
    child_send(pipe_end, "x", 1);
}

static void asking_to_stop_ends_a_child_unless_it_is_ignored(void **state) {
    (void)state;
    static int signals[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 4; ++i) {
        struct child child;
        char ending[CHILD_ENDING_LENGTH], byte;
        bool ignored = i % 2;
        signal(signals[i / 2], ignored ? SIG_IGN : handle);
        start(raise_and_tell, &signals[i / 2], 10000, &child);
        assert_int_equal(child_receive(&child, &byte, 1), ignored);
        child_end(&child, ending);
        signal(signals[i / 2], SIG_DFL);
    }
}

static void signals_do_not_disturb_waiting(void **state) {
    (void)state;
    struct child child;
    char ending[CHILD_ENDING_LENGTH], byte = 0;
    int late_ms = 400;
    struct sigaction action = {.sa_handler = handle}; /* system calls are not taken up again by themselves */
    sigaction(SIGALRM, &action, NULL);
    start(tell_late, &late_ms, 10000, &child);
    caught = 0;
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, 50000}}, NULL);
    assert_true(child_receive(&child, &byte, 1));
    assert_true(caught);
    errno = EINTR; /* of a call before: the end of the pipe is no interruption */
    assert_false(child_receive(&child, &byte, 1));
    child_end(&child, ending);
    assert_int_equal(byte, 'x');
}

/* Where a program that embeds the library ignores SIGCHLD, the system keeps nothing to wait for. */
static void ignored_children_end(void **state) {
    (void)state;
    int number = 7;
    struct answer answer = {0, 0};
    signal(SIGCHLD, SIG_IGN);
    assert_true(child_run(triple, &number, &answer, sizeof answer, 10000));
    assert_int_equal(answer.number, 21);
    signal(SIGCHLD, SIG_DFL);
}

static void tell_core_limit(void *user, void *result) {
    (void)user;
    getrlimit(RLIMIT_CORE, result);
}

static void children_leave_no_core_files(void **state) {
    (void)state;
    struct rlimit before, limit = {1, 1};
    getrlimit(RLIMIT_CORE, &before);
    setrlimit(RLIMIT_CORE, &(struct rlimit){before.rlim_max, before.rlim_max}); /* in most shells it is 0 already */
    assert_true(child_run(tell_core_limit, NULL, &limit, sizeof limit, 10000));
    setrlimit(RLIMIT_CORE, &before);
    assert_int_equal(limit.rlim_cur, 0);
}

static void flush_all(void *user, void *result) {
    *(int *)result = fflush(user);
}

/* What this process had not written yet is not the child's to write as well. */
static void output_is_not_doubled(void **state) {
    (void)state;
    int flushed = -1;
    FILE *stream = tmpfile();
    fputs("once", stream);
    assert_true(child_run(flush_all, stream, &flushed, sizeof flushed, 10000));
    assert_int_equal(flushed, 0);
    fflush(stream);
    fseek(stream, 0, SEEK_END);
    assert_int_equal(ftell(stream), 4);
    fclose(stream);
}

int main(void) {
    test_process = getpid();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_is_done_in_another_process),
        cmocka_unit_test(without_an_answer_the_result_is_as_it_was),
        cmocka_unit_test(large_answers_arrive_in_parts),
        cmocka_unit_test(a_crash_is_told),
        cmocka_unit_test(a_silent_child_is_killed),
        cmocka_unit_test(waiting_may_be_without_limit),
        cmocka_unit_test(a_child_ends_when_nobody_listens),
        cmocka_unit_test(asking_to_stop_ends_a_child_unless_it_is_ignored),
        cmocka_unit_test(signals_do_not_disturb_waiting),
        cmocka_unit_test(ignored_children_end),
        cmocka_unit_test(children_leave_no_core_files),
        cmocka_unit_test(output_is_not_doubled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
