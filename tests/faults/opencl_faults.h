/* opencl_faults.h: stands between a program and OpenCL, counts its calls and its live objects, and makes calls fail.
 *
 * opencl_faults.c defines OpenCL's functions, each of which passes its call on to the next library that has it. Linked
 * into a test, it is driven through opencl_faults(); preloaded into a program (LD_PRELOAD=libopencl_faults.so
 * NST_TEST_FAULTS=FILE), through FILE, which holds this struct before, during and after the run.
 */
#ifndef TESTS_OPENCL_FAULTS_H
#define TESTS_OPENCL_FAULTS_H

#include <stdbool.h>

enum opencl_object {
    FAULTS_CONTEXT,
    FAULTS_QUEUE,
    FAULTS_MEMORY,
    FAULTS_PROGRAM,
    FAULTS_KERNEL,
    FAULTS_EVENT,
    FAULTS_OBJECT_KINDS
};

enum { FAULTS_MOST_FUNCTIONS = 48 };

struct opencl_faults {
    /* What is to fail: the call of this number, counted from 1 (0: none), with this code; and all after it, as when a
     * device disappears. What is released is released even so, and nothing else of a failing call takes place. */
    int failing_call, code;
    bool and_all_later;

    /* Commands of one queue, that made as number `queue` since then, from 1 (0: of none): after the first `queue_commands`
     * all fail with `code`, if it is not 0, and each takes so much longer. */
    int queue, queue_commands, delay_us;
    void *queue_object; /* once it is there */

    /* What happened; set to zero before a run. */
    int calls;
    char failed_function[48];
    int queue_count;               /* made */
    int live[FAULTS_OBJECT_KINDS]; /* created and not released */
    int function_count;
    struct {
        char name[48];
        int first_call, last_call;
    } functions[FAULTS_MOST_FUNCTIONS];
};

struct opencl_faults *opencl_faults(void);

#endif
