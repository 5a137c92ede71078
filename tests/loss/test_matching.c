/* test_matching.c: nearest neighbors by cosine and their targets (cl/matching.cl, loss/matching.c) against a search in
 * float64: parts with weights and bounds, ties, vectors without direction. */
#include "fixture.h"
#include "loss/matching.h"
#include "reference/cosine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Similarities nearer to each other than this may be taken for each other. */
#define TIE 1e-5

enum { CONTENT_BLOCK = 1, STYLE_BLOCK = 2, TARGET_BLOCK = 1 }; /* where stacks begin in their buffers */

struct problem_size {
    int channels, positions, style_positions;
};
static const struct problem_size sizes[] = {{1, 1, 1},      {3, 15, 7},    {20, 15, 70},  {20, 3, 1100},
                                            {64, 527, 100}, {65, 68, 527}, {2700, 17, 65}};

/* ---- Sets of vectors ----------------------------------------------------------------------------------------------- */

struct set {
    float *values; /* dense, [channels][positions] */
    double *doubles, *means;
    struct map_size size;
    struct matching_set device;
};

/* A stack that begins behind so many blocks of garbage. */
static cl_mem upload_behind(nst_context *context, const float *dense, struct map_size size, int blocks_before) {
    uint64_t before = sample_stack_bytes(context, blocks_before, (int)pixels_of(size));
    uint64_t bytes = sample_stack_bytes(context, blocks_of_map(context, size), (int)pixels_of(size));
    char *all = (char *)random_array(99, (before + bytes) / sizeof(float));
    cl_mem layer = upload_map(context, dense, size);
    char *values = download(context, layer, bytes);
    memcpy(all + before, values, bytes);
    cl_mem stack = upload(context, all, before + bytes);
    buffer_release(context, &layer);
    free(values);
    free(all);
    return stack;
}

static float *download_behind(nst_context *context, cl_mem stack, struct map_size size, int blocks_before) {
    uint64_t before = sample_stack_bytes(context, blocks_before, (int)pixels_of(size));
    uint64_t bytes = sample_stack_bytes(context, blocks_of_map(context, size), (int)pixels_of(size));
    char *all = download(context, stack, before + bytes);
    cl_mem layer = upload(context, all + before, bytes);
    float *dense = download_map(context, layer, size);
    buffer_release(context, &layer);
    free(all);
    return dense;
}

/* Takes the values. */
static struct set create_set(nst_context *context, float *values, int channels, int positions, int first_block) {
    nst_error error;
    struct samples samples;
    struct set set = {.values = values, .size = {channels, 1, positions, false}};
    int blocks = blocks_of_map(context, set.size);
    set.doubles = to_doubles(values, elements_of(set.size));
    set.means = allocate((size_t)channels, sizeof *set.means);
    reference_means((struct reference_vectors){set.doubles, channels, positions}, set.means);
    struct sample_stack stack = {upload_behind(context, values, set.size, first_block), first_block, blocks, positions};
    set.device =
        (struct matching_set){.stack = stack,
                              .mean = create_zero(context, sample_stack_bytes(context, first_block + blocks, 1)),
                              .squares = create_zero(context, (size_t)positions * sizeof(float))};
    struct sample_squares squares = {.squares = set.device.squares, .mean = set.device.mean};
    check(samples_create(context, false, &samples, &error), &error);
    check(samples_mean(context, &samples, &stack, set.device.mean, &error), &error);
    check(samples_squares(context, &samples, &stack, &squares, &error), &error);
    samples_release(&samples);
    return set;
}

static void free_set(nst_context *context, struct set *set) {
    buffer_release(context, &set->device.stack.samples);
    buffer_release(context, &set->device.mean);
    buffer_release(context, &set->device.squares);
    free(set->values);
    free(set->doubles);
    free(set->means);
}

/* The vectors as they are: their mean counts as zero. */
static void forget_mean(nst_context *context, struct set *set) {
    nst_error error;
    struct samples samples;
    struct sample_squares squares = {.squares = set->device.squares};
    const struct sample_stack *stack = &set->device.stack;
    size_t bytes = (size_t)sample_stack_bytes(context, stack->first_block + stack->blocks, 1);
    check(samples_create(context, false, &samples, &error), &error);
    check(samples_squares(context, &samples, stack, &squares, &error), &error);
    check(buffer_fill_zero(context, set->device.mean, bytes, &error), &error);
    samples_release(&samples);
}

static float *positive_array(uint64_t seed, int channels, int positions) {
    return random_uniform_array(seed, (size_t)channels * (size_t)positions, 0, 1);
}

static struct reference_pair pair_of(const struct set *content, const struct set *style, bool centered) {
    return (struct reference_pair){{content->doubles, content->size.channels, content->size.width},
                                   {style->doubles, style->size.channels, style->size.width},
                                   centered ? content->means : NULL,
                                   centered ? style->means : NULL};
}

/* ---- Search -------------------------------------------------------------------------------------------------------- */

struct search {
    struct matching matching;
    struct matching_scratch scratch;
    struct matching_best best;
    int positions;
};

static struct search begin_search(nst_context *context, const struct problem_size *size) {
    nst_error error;
    struct map_size map = {size->channels, 1, size->positions, false};
    struct matching_bytes bytes =
        matching_scratch_bytes(context, blocks_of_map(context, map), size->positions, size->style_positions);
    struct search search = {.positions = size->positions,
                            .scratch = {.candidates = create_zero(context, bytes.candidates)},
                            .best = {create_zero(context, (size_t)size->positions * sizeof(float)),
                                     create_zero(context, (size_t)size->positions * sizeof(cl_int))}};
    if (bytes.panels > 0) {
        search.scratch.panels = create_zero(context, bytes.panels);
        search.scratch.rows = create_zero(context, bytes.rows);
    }
    check(matching_create(context, &search.matching, &error), &error);
    check(matching_begin(context, &search.matching, &search.best, size->positions, &error), &error);
    return search;
}

static void end_search(nst_context *context, struct search *search) {
    buffer_release(context, &search->scratch.candidates);
    buffer_release(context, &search->scratch.panels);
    buffer_release(context, &search->scratch.rows);
    buffer_release(context, &search->best.similarity);
    buffer_release(context, &search->best.index);
    matching_release(&search->matching);
}

static int *found_indices(nst_context *context, const struct search *search) {
    return download(context, search->best.index, (size_t)search->positions * sizeof(int));
}

static void check_sizes(nst_context *context, const struct problem_size *size) {
    nst_error error;
    float *values = positive_array(1, size->channels, size->positions);
    float *style_values = positive_array(2, size->channels, size->style_positions);
    struct set content = create_set(context, values, size->channels, size->positions, CONTENT_BLOCK);
    struct set style = create_set(context, style_values, size->channels, size->style_positions, STYLE_BLOCK);
    struct search search = begin_search(context, size);
    struct matching_part part = {.content = content.device, .style = style.device, .first_index = 7, .factor = 1};
    check(matching_run(context, &search.matching, &part, &search.scratch, &search.best, &error), &error);
    int *index = found_indices(context, &search);
    float *similarity = download(context, search.best.similarity, (size_t)size->positions * sizeof *similarity);
    struct reference_pair pair = pair_of(&content, &style, true);
    for (int p = 0; p < size->positions; ++p) {
        double most = -2;
        for (int q = 0; q < size->style_positions; ++q) {
            most = fmax(most, reference_cosine(&pair, p, q));
        }
        assert_in_range(index[p], 7, 7 + size->style_positions - 1);
        double found = reference_cosine(&pair, p, index[p] - 7);
        if (!(found > most - TIE && fabs(similarity[p] - found) < 3e-6)) {
            fail_msg("%d channels, position %d: style vector %d, cosine %.9g (%.9g on the device), the best has %.9g",
                     size->channels, p, index[p], found, (double)similarity[p], most);
        }
    }
    free(index);
    free(similarity);
    end_search(context, &search);
    free_set(context, &content);
    free_set(context, &style);
}

static void search_agrees_with_the_reference(void **state) {
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(sizes), 3); ++i) {
        check_sizes(*state, &sizes[i]);
    }
}

/* The second part is preferred by a summand or held back by a factor, and only allowed at every other position. */
static void check_parts(nst_context *context, double factor, double summand, bool bounded) {
    enum { CHANNELS = 20, POSITIONS = 33, STYLE = 40 };
    const struct problem_size size = {CHANNELS, POSITIONS, STYLE};
    nst_error error;
    float allowed[POSITIONS];
    struct set content = create_set(context, positive_array(1, CHANNELS, POSITIONS), CHANNELS, POSITIONS, 0);
    struct set styles[2];
    struct search search = begin_search(context, &size);
    for (int p = 0; p < POSITIONS; ++p) {
        allowed[p] = p % 2 ? 0.5f : 0;
    }
    cl_mem allowance = upload(context, allowed, sizeof allowed);
    for (int i = 0; i < 2; ++i) {
        styles[i] = create_set(context, positive_array((uint64_t)(2 + i), CHANNELS, STYLE), CHANNELS, STYLE, 0);
        struct matching_part part = {.content = content.device,
                                     .style = styles[i].device,
                                     .first_index = i * STYLE,
                                     .factor = i ? factor : 1,
                                     .summand = i ? summand : 0,
                                     .allowed = i && bounded ? allowance : NULL};
        check(matching_run(context, &search.matching, &part, &search.scratch, &search.best, &error), &error);
    }
    int *index = found_indices(context, &search), wins[2] = {0, 0};
    struct reference_pair pairs[2] = {pair_of(&content, &styles[0], true), pair_of(&content, &styles[1], true)};
    for (int p = 0; p < POSITIONS; ++p) {
        double most = -10, found = -10;
        for (int q = 0; q < 2 * STYLE; ++q) {
            int i = q / STYLE;
            bool possible = i == 0 || !bounded || p % 2;
            double cosine = reference_cosine(&pairs[i], p, q % STYLE);
            double similarity = !possible ? -5 : i ? factor * cosine + summand : cosine;
            most = fmax(most, similarity);
            found = q == index[p] ? similarity : found;
        }
        ++wins[index[p] / STYLE];
        assert_true(found > most - TIE);
    }
    assert_true(wins[0] > 0 && wins[1] > 0); /* else this tests nothing */
    free(index);
    buffer_release(context, &allowance);
    end_search(context, &search);
    free_set(context, &content);
    free_set(context, &styles[0]);
    free_set(context, &styles[1]);
}

static void parts_replace_what_is_worse(void **state) {
    check_parts(*state, 1, 0, false);
    check_parts(*state, 1, 0.05, true);
    check_parts(*state, 0.9, 0, false);
}

/* Every style vector is there four times; the first one wins, also over the same in a later part. */
static void the_first_of_equal_ones_wins(void **state) {
    enum { CHANNELS = 20, POSITIONS = 40, DISTINCT = 300, STYLE = 4 * DISTINCT };
    const struct problem_size size = {CHANNELS, POSITIONS, STYLE};
    nst_error error;
    float *distinct = positive_array(2, CHANNELS, DISTINCT), *copies = positive_array(2, CHANNELS, STYLE);
    for (int i = 0; i < CHANNELS * STYLE; ++i) {
        copies[i] = distinct[i / STYLE * DISTINCT + i % DISTINCT];
    }
    struct set content = create_set(*state, positive_array(1, CHANNELS, POSITIONS), CHANNELS, POSITIONS, 0);
    struct set style = create_set(*state, copies, CHANNELS, STYLE, 0);
    struct search search = begin_search(*state, &size);
    struct matching_part part = {.content = content.device, .style = style.device, .factor = 1};
    for (int i = 0; i < 2; ++i) {
        part.first_index = i * STYLE;
        check(matching_run(*state, &search.matching, &part, &search.scratch, &search.best, &error), &error);
    }
    int *index = found_indices(*state, &search);
    for (int p = 0; p < POSITIONS; ++p) {
        assert_in_range(index[p], 0, DISTINCT - 1);
    }
    free(index);
    free(distinct);
    end_search(*state, &search);
    free_set(*state, &content);
    free_set(*state, &style);
}

/* ---- Targets ------------------------------------------------------------------------------------------------------- */

/* Vectors of the second part only; the others stay as they were. Style vector 0 is the mean, without direction where
 * centered. */
static void check_targets(nst_context *context, const struct problem_size *size, bool centered) {
    nst_error error;
    int channels = size->channels, positions = size->positions, style_positions = size->style_positions;
    struct map_size targets_size = {channels, 1, positions, false};
    struct set style =
        create_set(context, positive_array(2, channels, style_positions), channels, style_positions, STYLE_BLOCK);
    struct search search = begin_search(context, size);
    float *before = random_array(3, elements_of(targets_size));
    int *index = allocate((size_t)positions, sizeof *index);
    for (int p = 0; p < positions; ++p) {
        index[p] = p * 7 % (3 * style_positions) - 1; /* -1: of no part */
    }
    check(buffer_write(context, search.best.index, 0, index, (size_t)positions * sizeof *index, &error), &error);
    if (!centered) {
        forget_mean(context, &style);
    }
    struct matching_targets targets = {.style = style.device, .first_index = style_positions};
    targets.style.mean = centered ? style.device.mean : NULL;
    targets.targets = (struct sample_stack){upload_behind(context, before, targets_size, TARGET_BLOCK), TARGET_BLOCK,
                                            blocks_of_map(context, targets_size), positions};
    check(matching_gather(context, &search.matching, &targets, &search.best, &error), &error);
    float *got = download_behind(context, targets.targets.samples, targets_size, TARGET_BLOCK);
    double *expected = to_doubles(before, elements_of(targets_size));
    for (int p = 0; p < positions; ++p) {
        int q = index[p] - style_positions;
        double square = 0;
        for (int pass = 0; pass < 2 && q >= 0 && q < style_positions; ++pass) {
            for (int c = 0; c < channels; ++c) {
                double value = style.doubles[c * style_positions + q] - (centered ? style.means[c] : 0);
                square += pass == 0 ? value * value : 0;
                expected[c * positions + p] = square > 1e-12 ? value / sqrt(square) : 0;
            }
        }
    }
    assert_near("targets", got, expected, elements_of(targets_size), 2e-6);
    free(got);
    free(expected);
    free(before);
    free(index);
    buffer_release(context, &targets.targets.samples);
    end_search(context, &search);
    free_set(context, &style);
}

static void targets_are_gathered_from_one_part(void **state) {
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(sizes), 3); ++i) {
        check_targets(*state, &sizes[i], false);
        check_targets(*state, &sizes[i], true);
    }
}

/* Content and style whose vectors are all the same; every style vector is given this similarity, and the first wins. */
static void check_constant(nst_context *context, float content_value, float style_value, bool centered,
                           float similarity) {
    enum { CHANNELS = 5, POSITIONS = 9 };
    const struct problem_size size = {CHANNELS, POSITIONS, POSITIONS};
    nst_error error;
    const float values[2] = {content_value, style_value};
    struct set sets[2];
    for (int i = 0; i < 2; ++i) {
        float *constant = random_uniform_array(1, CHANNELS * POSITIONS, values[i], values[i]);
        sets[i] = create_set(context, constant, CHANNELS, POSITIONS, 0);
        if (!centered) {
            forget_mean(context, &sets[i]);
        }
    }
    struct search search = begin_search(context, &size);
    struct matching_part part = {.content = sets[0].device, .style = sets[1].device, .factor = 1};
    check(matching_run(context, &search.matching, &part, &search.scratch, &search.best, &error), &error);
    int *index = found_indices(context, &search);
    float *found = download(context, search.best.similarity, POSITIONS * sizeof *found);
    for (int p = 0; p < POSITIONS; ++p) {
        assert_int_equal(index[p], 0);
        assert_true(fabsf(found[p] - similarity) < 1e-6f);
    }
    free(index);
    free(found);
    end_search(context, &search);
    free_set(context, &sets[0]);
    free_set(context, &sets[1]);
}

/* Constant maps: all vectors are their mean. */
static void vectors_without_direction_match_something(void **state) {
    check_constant(*state, 1, 1, true, 0);
}

/* Behind the last style vector there is nothing, which would be nearer than what points the other way. */
static void opposite_vectors_match(void **state) {
    check_constant(*state, 1, -1, false, -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_agrees_with_the_reference),
        cmocka_unit_test(parts_replace_what_is_worse),
        cmocka_unit_test(the_first_of_equal_ones_wins),
        cmocka_unit_test(targets_are_gathered_from_one_part),
        cmocka_unit_test(vectors_without_direction_match_something),
        cmocka_unit_test(opposite_vectors_match),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
