/* test_plan.c: the memory plan: no two entries that live at the same time share a buffer, every buffer is large enough,
 * sums, printing, and what happens when memory does not suffice. */
#include "device/plan.h"
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

static bool overlap(const struct plan_entry *a, const struct plan_entry *b) {
    return !(a->last_step < b->first_step || b->last_step < a->first_step);
}

/* What every assigned plan must hold to. */
static void check_plan(const struct plan *plan) {
    uint64_t sum = 0, largest = 0;
    for (int i = 0; i < plan->entry_count; ++i) {
        const struct plan_entry *entry = &plan->entries[i];
        assert_in_range(entry->slot, 0, plan->slot_count - 1);
        assert_true(plan->slots[entry->slot].bytes >= entry->bytes);
        for (int k = 0; k < i; ++k) {
            assert_false(plan->entries[k].slot == entry->slot && overlap(&plan->entries[k], entry));
        }
    }
    for (int s = 0; s < plan->slot_count; ++s) {
        uint64_t needed = 0;
        for (int i = 0; i < plan->entry_count; ++i) {
            if (plan->entries[i].slot == s && plan->entries[i].bytes > needed) {
                needed = plan->entries[i].bytes;
            }
        }
        assert_true(plan->slots[s].bytes == needed);
        sum += needed;
        largest = needed > largest ? needed : largest;
    }
    assert_true(plan_bytes(plan) == sum);
    assert_true(plan_largest_bytes(plan) == largest);
}

/* The most that is alive at any one step: no plan can do with less. */
static uint64_t least_bytes(const struct plan *plan, int steps) {
    uint64_t most = 0;
    for (int step = 0; step < steps; ++step) {
        uint64_t alive = 0;
        for (int i = 0; i < plan->entry_count; ++i) {
            bool lives = plan->entries[i].first_step <= step && step <= plan->entries[i].last_step;
            alive += lives ? plan->entries[i].bytes : 0;
        }
        most = alive > most ? alive : most;
    }
    return most;
}

static void random_plans_hold(void **state) {
    (void)state;
    nst_error error;
    for (uint64_t seed = 0; seed < 200; ++seed) {
        struct random_generator generator = random_from_seed(seed);
        struct plan plan = {0};
        int count = (int)(random_bits(&generator) % 150);
        uint64_t together = 0;
        for (int i = 0; i < count; ++i) {
            uint64_t bytes = random_bits(&generator) % 1000;
            int first = (int)(random_bits(&generator) % 40), last = first + (int)(random_bits(&generator) % 8);
            int entry = random_bits(&generator) % 10 ? plan_add(&plan, bytes, first, last, "entry %d", i)
                                                     : plan_add_always(&plan, bytes, "entry %d", i);
            assert_int_equal(entry, i);
            together += bytes;
        }
        check(plan_assign(&plan, &error), &error);
        check_plan(&plan);
        assert_true(plan_bytes(&plan) <= together);
        assert_true(plan_bytes(&plan) >= least_bytes(&plan, 50));
        plan_free(&plan, NULL);
    }
}

static void lifetimes_that_follow_each_other_share(void **state) {
    (void)state;
    nst_error error;
    struct plan plan = {0};
    int a = plan_add(&plan, 100, 0, 1, "a"), b = plan_add(&plan, 80, 1, 2, "b"), c = plan_add(&plan, 60, 2, 3, "c");
    int always = plan_add_always(&plan, 10, "d");
    check(plan_assign(&plan, &error), &error);
    assert_int_equal(plan.entries[a].slot, plan.entries[c].slot);
    assert_int_not_equal(plan.entries[a].slot, plan.entries[b].slot);
    assert_int_equal(plan.slot_count, 3);
    assert_true(plan_bytes(&plan) == 190);
    assert_true(plan_largest_bytes(&plan) == 100);
    /* An entry more, and all is assigned anew. */
    plan_add(&plan, 500, 0, 3, "e");
    check(plan_assign(&plan, &error), &error);
    check_plan(&plan);
    assert_true(plan_bytes(&plan) == 690);
    assert_true(plan.entries[always].slot >= 0);
    plan_free(&plan, NULL);
    assert_null(plan.entries);
    plan_free(&plan, NULL);
}

static void an_empty_plan_is_a_plan(void **state) {
    nst_error error;
    struct plan plan = {0};
    check(plan_assign(&plan, &error), &error);
    assert_true(plan_bytes(&plan) == 0 && plan_largest_bytes(&plan) == 0);
    check(plan_allocate(&plan, *state, &error), &error);
    plan_free(&plan, *state);
}

static void buffers_are_as_large_as_planned(void **state) {
    nst_context *context = *state;
    nst_error error;
    struct plan plan = {0};
    uint64_t before = context->allocated_bytes;
    int a = plan_add(&plan, 4096, 0, 1, "a"), b = plan_add(&plan, 1024, 2, 2, "b"), c = plan_add(&plan, 512, 0, 2, "c");
    int empty = plan_add(&plan, 0, 0, 9, "empty");
    check(plan_assign(&plan, &error), &error);
    check(plan_allocate(&plan, context, &error), &error);
    assert_true(context->allocated_bytes == before + 4608);
    assert_ptr_equal(plan_buffer(&plan, a), plan_buffer(&plan, b));
    assert_ptr_not_equal(plan_buffer(&plan, a), plan_buffer(&plan, c));
    (void)empty;
    plan_free(&plan, context);
    assert_true(context->allocated_bytes == before);
}

/* A device that has less than the plan asks for: an error that names the entry, and nothing stays allocated. */
static void failures_leave_nothing_allocated(void **state) {
    nst_context *context = *state;
    nst_error error;
    struct plan plan = {0};
    uint64_t before = context->allocated_bytes, memory = context->info.memory_bytes;
    plan_add(&plan, 5000, 0, 1, "the first buffer");
    plan_add(&plan, 4000, 0, 1, "the second buffer");
    check(plan_assign(&plan, &error), &error);
    context->info.memory_bytes = before + 6000;
    assert_int_equal(plan_allocate(&plan, context, &error), NST_ERROR_MEMORY);
    context->info.memory_bytes = memory;
    assert_non_null(strstr(error.message, "the second buffer"));
    assert_true(context->allocated_bytes == before);
    check(plan_allocate(&plan, context, &error), &error);
    plan_free(&plan, context);
    assert_true(context->allocated_bytes == before);
}

static void printing_tells_all(void **state) {
    (void)state;
    nst_error error;
    struct plan plan = {0};
    plan_add(&plan, 2048, 5, 9, "later");
    plan_add_always(&plan, 1024, "weights of %s", "conv1_1");
    plan_add(&plan, 512, 1, 3, "earlier");
    plan_add(&plan, 1, 1, 3, "%s", "a name that is longer than sixty-four characters must be cut off, not overrun");
    check(plan_assign(&plan, &error), &error);
    char text[2048] = "";
    FILE *stream = fmemopen(text, sizeof text, "w");
    assert_non_null(stream);
    plan_print(&plan, stream);
    fclose(stream);
    const char *always = strstr(text, "weights of conv1_1"), *earlier = strstr(text, "earlier");
    const char *later = strstr(text, "later"), *sum = strstr(text, "together");
    assert_true(always && earlier && later && sum);
    assert_true(always < earlier && earlier < later && later < sum);
    assert_non_null(strstr(text, "5 - 9"));
    assert_non_null(strstr(text, "always"));
    assert_non_null(strstr(sum, "3073"));
    plan_free(&plan, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_plans_hold),
        cmocka_unit_test(lifetimes_that_follow_each_other_share),
        cmocka_unit_test(an_empty_plan_is_a_plan),
        cmocka_unit_test(buffers_are_as_large_as_planned),
        cmocka_unit_test(failures_leave_nothing_allocated),
        cmocka_unit_test(printing_tells_all),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
