/* test_plan.c: buffers are shared exactly where lifetimes allow it; sums over a buffer. Runs on the default OpenCL
 * device. */
#include "device/plan.h"
#include "device/reduction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void lifetimes_share_buffers(void **state) {
    (void)state;
    struct plan plan = {0};
    int a = plan_add(&plan, 100, 0, 2, "a"), b = plan_add(&plan, 80, 3, 5, "b"), c = plan_add(&plan, 60, 2, 3, "c");
    int always = plan_add_always(&plan, 10, "always");
    int d = plan_add(&plan, 5, 4, 9, "d%d", 4);
    assert_int_equal(plan_assign(&plan, NULL), NST_OK);
    assert_int_equal(plan.entries[a].slot, plan.entries[b].slot);
    assert_int_equal(plan.entries[c].slot, plan.entries[d].slot);
    assert_int_not_equal(plan.entries[a].slot, plan.entries[c].slot);
    assert_int_not_equal(plan.entries[always].slot, plan.entries[d].slot);
    assert_int_equal(plan.slot_count, 3);
    assert_true(plan_bytes(&plan) == 170);
    assert_true(plan_largest_bytes(&plan) == 100);
    assert_string_equal(plan.entries[d].what, "d4");
    plan_free(&plan, NULL);
}

/* Whatever the entries, no two that live at the same time share a slot, and each fits into its own. */
static void random_plans_are_right(void **state) {
    (void)state;
    unsigned seed = 1;
    for (int round = 0; round < 50; ++round) {
        struct plan plan = {0};
        for (int i = 0; i < 100; ++i) {
            seed = seed * 1664525u + 1013904223u;
            int first = (int)(seed >> 8) % 50;
            plan_add(&plan, 1 + (seed >> 16) % 1000, first, first + (int)(seed >> 24) % 10, "%d", i);
        }
        assert_int_equal(plan_assign(&plan, NULL), NST_OK);
        for (int i = 0; i < 100; ++i) {
            const struct plan_entry *x = &plan.entries[i];
            assert_in_range(x->slot, 0, plan.slot_count - 1);
            assert_true(x->bytes <= plan.slots[x->slot].bytes);
            for (int j = 0; j < i; ++j) {
                const struct plan_entry *y = &plan.entries[j];
                assert_true(x->slot != y->slot || x->last_step < y->first_step || y->last_step < x->first_step);
            }
        }
        plan_free(&plan, NULL);
    }
}

static void plans_are_allocated(void **state) {
    (void)state;
    nst_context *context;
    nst_error error;
    assert_int_equal(nst_context_create(NULL, &context, NULL), NST_OK);
    struct plan plan = {0};
    int a = plan_add(&plan, 4096, 0, 1, "a"), b = plan_add(&plan, 1024, 2, 3, "b");
    assert_int_equal(plan_assign(&plan, NULL), NST_OK);
    assert_int_equal(plan_allocate(&plan, context, NULL), NST_OK);
    assert_non_null(plan_buffer(&plan, a));
    assert_ptr_equal(plan_buffer(&plan, a), plan_buffer(&plan, b));
    assert_true(context->allocated_bytes == 4096);
    plan_free(&plan, context);
    assert_true(context->allocated_bytes == 0);

    /* What does not fit leaves nothing behind and is named by its largest entry. */
    plan_add(&plan, 4096, 0, 1, "small");
    plan_add(&plan, UINT64_C(1) << 60, 0, 1, "features of relu1_1");
    assert_int_equal(plan_assign(&plan, NULL), NST_OK);
    assert_int_equal(plan_allocate(&plan, context, &error), NST_ERROR_MEMORY);
    assert_non_null(strstr(error.message, "features of relu1_1"));
    assert_true(context->allocated_bytes == 0);
    plan_free(&plan, context);
    nst_context_destroy(context);
}

static void printed_plans_are_complete(void **state) {
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    struct plan plan = {0};
    plan_add(&plan, 2048, 3, 4, "later");
    plan_add(&plan, 1024, 1, 2, "earlier");
    plan_add_always(&plan, 7, "kept");
    assert_int_equal(plan_assign(&plan, NULL), NST_OK);
    plan_print(&plan, stream);
    fclose(stream);
    const char *kept = strstr(text, "kept"), *earlier = strstr(text, "earlier"), *later = strstr(text, "later");
    assert_true(kept && earlier && later && kept < earlier && earlier < later);
    assert_non_null(strstr(text, "1 - 2"));
    assert_non_null(strstr(text, "always"));
    assert_non_null(strstr(text, "2 KiB in 2 buffers"));
    free(text);
    plan_free(&plan, NULL);
}

static void partial_sums(void **state) {
    (void)state;
    const float partials[] = {1e8f, 1, -1e8f, 0.25f};
    nst_context cpu = {.loops_in_kernel = true, .work_items = 6, .work_group = 1}, gpu = {.work_group = 64};
    assert_true(reduction_sum(partials, 4) == 1.25);
    assert_true(reduction_sum(partials, 0) == 0);
    assert_int_equal(reduction_partials(&cpu), 6);
    assert_int_equal(reduction_work(&cpu).global[0], 6);
    gpu.info.compute_units = 10;
    struct work_size size = reduction_work(&gpu);
    assert_int_equal(size.local[0], 64);
    assert_int_equal(size.global[0], 64 * (size_t)reduction_partials(&gpu));
    gpu.info.compute_units = 100000;
    assert_in_range(reduction_partials(&gpu), 1, 4096);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lifetimes_share_buffers),
        cmocka_unit_test(random_plans_are_right),
        cmocka_unit_test(plans_are_allocated),
        cmocka_unit_test(printed_plans_are_complete),
        cmocka_unit_test(partial_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
