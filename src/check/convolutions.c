/* convolutions.c: every convolution engine with every epilogue. */
#include "check/convolution.h"
#include "check/parts.h"

struct convolution_case {
    int in_channels, out_channels, kernel_size, height, width;
    bool every_engine; /* else only the one that the device chooses */
    int epilogues;     /* one bit for each */
    bool of_image;     /* reads or writes the image, as first convolutions do, if the device's engines can */
};

enum { EVERY_EPILOGUE = -1 };
#define ONLY(epilogue) (1 << (epilogue))

/* Layers of VGG-19, at sizes that no tile divides. */
static const struct convolution_case cases[] = {
    {3, 64, 3, 33, 17, true, EVERY_EPILOGUE, false},      {64, 64, 3, 37, 29, true, EVERY_EPILOGUE, false},
    {64, 3, 3, 33, 17, true, EVERY_EPILOGUE, false},      {128, 96, 3, 16, 20, false, EVERY_EPILOGUE, false},
    {256, 512, 3, 7, 9, false, EVERY_EPILOGUE, false},    {64, 64, 1, 37, 29, false, EVERY_EPILOGUE, false},
    {512, 512, 1, 8, 9, false, EVERY_EPILOGUE, false},    {3, 64, 3, 33, 17, false, ONLY(EPILOGUE_RELU), true},
    {64, 3, 3, 33, 17, false, ONLY(EPILOGUE_NONE), true},
};

/* What a job needs in any case, so that its kernels are compiled only once; sizes for a fraction of a second. */
static const struct convolution_case brief_cases[] = {
    {3, 64, 3, 9, 14, false, ONLY(EPILOGUE_RELU), true},
    {64, 64, 3, 9, 14, false, ONLY(EPILOGUE_RELU) | ONLY(EPILOGUE_RELU_POOL) | ONLY(EPILOGUE_MASK), false},
    {64, 3, 3, 9, 14, false, ONLY(EPILOGUE_NONE), true},
    {64, 64, 1, 9, 14, false, ONLY(EPILOGUE_MASK_ADD), false},
};

/* One shape of a case, with one epilogue after another. */
struct shape_check {
    nst_context *context;
    struct convolution_shape shape;
    int height, width;
    struct check_convolution *convolution;
    struct check_report *report;
};

static void describe(const struct shape_check *check, const struct convolution_engine *engine, char name[64],
                     char detail[64]) {
    static const char *const epilogues[] = {"", ", ReLU", ", mask", ", mask and add", ", ReLU and pooling"};
    const struct convolution_shape *shape = &check->shape;
    const char *image = shape->from_image ? ", of the image" : shape->to_image ? ", to the image" : "";
    snprintf(name, 64, "convolution %dx%d%s%s%s", shape->kernel_size, shape->kernel_size, image,
             epilogues[shape->epilogue], shape->unpools ? ", unpooling" : "");
    snprintf(detail, 64, "%s, %d to %d, %d x %d%s", convolution_engine_name(engine), shape->in_channels,
             shape->out_channels, check->width, check->height, shape->half_maps ? ", 16 bits" : "");
}

/* An engine that cannot do it makes no line. */
static nst_status check_engine(const struct shape_check *check, const struct convolution_engine *engine,
                               nst_error *error) {
    struct convolution_choice choice = convolution_choose(check->context, &check->shape, engine);
    char name[64], detail[64];
    nst_error why;
    double found;
    nst_status status = check_convolution_run(check->convolution, &choice, &found, &why);
    if (status == NST_ERROR_ARGUMENT) {
        return NST_OK;
    }
    describe(check, choice.engine, name, detail);
    return status ? check_report_add_failure(check->report, name, detail, &why, error)
                  : check_report_add(check->report, name, detail, found,
                                     check_convolution_bound(&check->shape, choice.engine), error);
}

/* The shape of a case, but for its epilogue. */
static struct convolution_shape shape_of(nst_context *context, const struct convolution_case *item, bool half,
                                         bool unpools) {
    struct convolution_shape shape = {.in_channels = item->in_channels,
                                      .out_channels = item->out_channels,
                                      .kernel_size = item->kernel_size,
                                      .padding = item->kernel_size / 2,
                                      .has_bias = !unpools,
                                      .unpools = unpools,
                                      .half_weights = half,
                                      .half_maps = half};
    struct convolution_shape of_image = shape;
    of_image.from_image = item->in_channels == 3;
    of_image.to_image = item->out_channels == 3;
    of_image.has_bias = !of_image.to_image;
    return item->of_image && convolution_is_possible(context, &of_image, NULL) ? of_image : shape;
}

/* Whether the case asks for the epilogue, and the device's engines can do it. */
static bool has_epilogue(const nst_context *context, const struct convolution_case *item,
                         const struct convolution_shape *shape) {
    if (shape->epilogue == EPILOGUE_RELU_POOL && (shape->unpools || !convolution_can_pool(context, shape, NULL))) {
        return false;
    }
    if (shape->unpools && shape->epilogue != EPILOGUE_NONE && shape->epilogue != EPILOGUE_MASK) {
        return false;
    }
    return item->epilogues & ONLY(shape->epilogue);
}

/* One shape with its epilogues: those of the forward pass with a bias, those of the backward pass without. */
static nst_status check_case(nst_context *context, const struct convolution_case *item, bool half, bool unpools,
                             struct check_report *report, nst_error *error) {
    struct shape_check check = {.context = context,
                                .shape = shape_of(context, item, half, unpools),
                                .height = item->height,
                                .width = item->width,
                                .report = report};
    nst_status status =
        check_convolution_create(context, &check.shape, item->height, item->width, &check.convolution, error);
    for (int epilogue = EPILOGUE_NONE; !status && epilogue <= EPILOGUE_RELU_POOL; ++epilogue) {
        check.shape.epilogue = epilogue;
        check_convolution_set_epilogue(check.convolution, epilogue);
        if (!has_epilogue(context, item, &check.shape)) {
            continue;
        }
        if (!item->every_engine || half || unpools || epilogue == EPILOGUE_RELU_POOL) {
            status = check_engine(&check, NULL, error);
            continue;
        }
        const struct convolution_engine *const *engine = convolution_engines(context);
        for (; !status && *engine; ++engine) {
            status = check_engine(&check, *engine, error);
        }
    }
    check_convolution_free(check.convolution);
    return status;
}

/* A case, and its backward pass through a pooling. */
static nst_status check_both_ways(nst_context *context, const struct convolution_case *item, bool half,
                                  struct check_report *report, nst_error *error) {
    struct convolution_case back = *item;
    back.in_channels = item->out_channels;
    back.out_channels = item->in_channels;
    struct convolution_shape shape = shape_of(context, &back, half, false);
    shape.epilogue = EPILOGUE_RELU_POOL;
    nst_status status = check_case(context, item, half, false, report, error);
    if (!status && !item->of_image && convolution_can_pool(context, &shape, NULL)) {
        status = check_case(context, item, half, true, report, error);
    }
    return status;
}

nst_status check_convolutions(nst_context *context, bool brief, struct check_report *report, nst_error *error) {
    const struct convolution_case *list = brief ? brief_cases : cases;
    size_t count = brief ? sizeof brief_cases / sizeof *brief_cases : sizeof cases / sizeof *cases;
    nst_status status = NST_OK;
    for (int half = 0; half <= !brief; ++half) {
        for (size_t i = 0; !status && i < count; ++i) {
            struct convolution_shape shape = shape_of(context, &list[i], half, false);
            bool is_repeated = !brief && list[i].of_image && !shape.from_image && !shape.to_image;
            status = is_repeated ? NST_OK : check_both_ways(context, &list[i], half, report, error);
        }
    }
    return status;
}
