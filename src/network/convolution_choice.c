/* convolution_choice.c: which engine does a convolution, and with which parameters: as the device's table says, else as
 * is built in. */
#include "device/tuning.h"
#include "network/convolution_engine.h"
#include "support/text.h"

#include <stdio.h>
#include <string.h>

/* ---- What is built in -------------------------------------------------------------------------------------------- */

const struct convolution_methods *convolution_methods_of(enum convolution_engine engine, bool on_cpu) {
    switch (engine) {
    case CONVOLUTION_PLAIN:
        return &convolution_plain;
    case CONVOLUTION_DIRECT:
        return on_cpu ? &convolution_direct : &convolution_tiled;
    case CONVOLUTION_WINOGRAD:
        return on_cpu ? &convolution_winograd : &convolution_winograd_gpu;
    case CONVOLUTION_WINOGRAD_CLBLAST:
        return &convolution_winograd_clblast;
    case CONVOLUTION_CLBLAST:
        return &convolution_clblast;
    case CONVOLUTION_AUTO:
        break;
    }
    return NULL;
}

/* Only one pools and unpools, and only one works in place or on images. */
bool convolution_supports(const struct convolution_methods *methods, const nst_context *context,
                          const struct convolution_shape *shape) {
    bool pools = shape->epilogue == EPILOGUE_RELU_POOL || shape->unpools;
    bool needs_direct = shape->in_place || shape->from_image || shape->to_image;
    return (!pools || methods == &convolution_winograd) && (!needs_direct || methods == &convolution_direct) &&
           methods->supports(context, shape);
}

/* An engine can do the shape, and has not computed wrongly on this device. */
static bool is_possible(const nst_context *context, const struct convolution_shape *shape,
                        enum convolution_engine engine) {
    char work[TUNING_WORK_LENGTH];
    convolution_engine_work(engine, work, sizeof work);
    const struct tuning_row *row = tuning_find(&context->tuning, work);
    return convolution_supports(convolution_methods_of(engine, context->loops_in_kernel), context, shape) &&
           !(row && !*row->choice);
}

/* Below this many channels on either side the transforms cost more than Winograd saves. On processors it still wins
 * with 16 to 16 channels (2.5 against 3.6 ms at 512 x 512), and needs half the time from 64 to 24. */
enum { LEAST_WINOGRAD_CHANNELS = 32, LEAST_ON_CPU = 16 };

static enum convolution_engine default_engine(const nst_context *context, const struct convolution_shape *shape) {
    static const enum convolution_engine by_speed[] = {CONVOLUTION_WINOGRAD, CONVOLUTION_WINOGRAD_CLBLAST,
                                                       CONVOLUTION_DIRECT, CONVOLUTION_CLBLAST};
    int least = context->loops_in_kernel ? LEAST_ON_CPU : LEAST_WINOGRAD_CHANNELS;
    bool suits_winograd = shape->in_channels >= least && shape->out_channels >= least;
    for (size_t i = 0; i < sizeof by_speed / sizeof *by_speed; ++i) {
        if ((suits_winograd || !convolution_is_winograd(by_speed[i])) && is_possible(context, shape, by_speed[i])) {
            return by_speed[i];
        }
    }
    return CONVOLUTION_PLAIN;
}

struct convolution_choice convolution_default_choice(const nst_context *context, const struct convolution_shape *shape,
                                                     enum convolution_engine engine) {
    struct convolution_choice choice = {.engine = engine != CONVOLUTION_AUTO ? engine : default_engine(context, shape)};
    const struct convolution_methods *methods = convolution_methods_of(choice.engine, context->loops_in_kernel);
    if (methods->set_defaults) {
        methods->set_defaults(context, shape, choice.parameters);
    }
    return choice;
}

struct convolution_choice convolution_choose(const nst_context *context, const struct convolution_shape *shape,
                                             enum convolution_engine engine) {
    char work[TUNING_WORK_LENGTH];
    struct convolution_choice choice;
    convolution_work(context, shape, work, sizeof work);
    const struct tuning_row *row = tuning_find(&context->tuning, work);
    if (row && convolution_choice_parse(context, shape, row->choice, &choice) &&
        (engine == CONVOLUTION_AUTO || engine == choice.engine)) {
        return choice;
    }
    return convolution_default_choice(context, shape, engine);
}

bool convolution_can_pool(const nst_context *context, const struct convolution_shape *shape) {
    struct convolution_shape pooling = *shape;
    pooling.epilogue = EPILOGUE_RELU_POOL;
    return shape->padding == 1 && default_engine(context, &pooling) == CONVOLUTION_WINOGRAD;
}

bool convolution_is_possible(const nst_context *context, const struct convolution_shape *shape) {
    return is_possible(context, shape, default_engine(context, shape));
}

/* ---- As text ----------------------------------------------------------------------------------------------------- */

static const char *const engine_words[] = {"auto", "plain", "direct", "winograd", "winograd-clblast", "clblast"};

void convolution_work(const nst_context *context, const struct convolution_shape *shape, char *work, size_t size) {
    snprintf(work, size, "convolution %dx%d, %d to %d%s%s, block %d", shape->kernel_size, shape->kernel_size,
             shape->in_channels, shape->out_channels, shape->epilogue == EPILOGUE_RELU_POOL ? ", pooling" : "",
             shape->unpools ? ", unpooling" : "", context->channel_block);
}

void convolution_engine_work(enum convolution_engine engine, char *work, size_t size) {
    snprintf(work, size, "engine %s", engine_words[engine]);
}

/* The engine's parameters; an empty list for one without. */
static const struct convolution_parameter *parameters_of(const nst_context *context, enum convolution_engine engine) {
    static const struct convolution_parameter none[] = {{NULL, {0}}};
    const struct convolution_methods *methods = convolution_methods_of(engine, context->loops_in_kernel);
    return methods->parameters ? methods->parameters : none;
}

void convolution_choice_format(const nst_context *context, const struct convolution_choice *choice, char *text,
                               size_t size) {
    const struct convolution_parameter *parameters = parameters_of(context, choice->engine);
    int length = snprintf(text, size, "%s", engine_words[choice->engine]);
    for (int i = 0; parameters[i].name && (size_t)length < size; ++i) {
        length += snprintf(text + length, size - (size_t)length, " %s=%d", parameters[i].name, choice->parameters[i]);
    }
}

/* Reads the word of one parameter, " tiles=8", and moves on behind it. */
static bool parse_parameter(const char **text, const struct convolution_parameter *parameter, int *value) {
    char word[32];
    long long number = 0;
    int start = 0, end = 0;
    size_t name = strlen(parameter->name);
    if (sscanf(*text, " %n%31s%n", &start, word, &end) != 1 || start != 1 ||
        strncmp(word, parameter->name, name) != 0 || word[name] != '=' || !text_to_integer(word + name + 1, &number)) {
        return false;
    }
    *text += end;
    for (size_t i = 0; i < sizeof parameter->values / sizeof *parameter->values && parameter->values[i]; ++i) {
        if (parameter->values[i] == number) {
            *value = (int)number;
            return true;
        }
    }
    return false;
}

bool convolution_choice_parse(const nst_context *context, const struct convolution_shape *shape, const char *text,
                              struct convolution_choice *choice) {
    *choice = (struct convolution_choice){.engine = CONVOLUTION_AUTO};
    size_t length = strcspn(text, " ");
    for (int engine = CONVOLUTION_PLAIN; engine <= CONVOLUTION_CLBLAST; ++engine) {
        if (strlen(engine_words[engine]) == length && strncmp(text, engine_words[engine], length) == 0) {
            choice->engine = engine;
        }
    }
    if (choice->engine == CONVOLUTION_AUTO || !is_possible(context, shape, choice->engine)) {
        return false;
    }
    const struct convolution_parameter *parameters = parameters_of(context, choice->engine);
    text += length;
    for (int i = 0; parameters[i].name; ++i) {
        if (!parse_parameter(&text, &parameters[i], &choice->parameters[i])) {
            return false;
        }
    }
    return !*text;
}

/* ---- Neighbors --------------------------------------------------------------------------------------------------- */

bool convolution_next_choice(const nst_context *context, const struct convolution_choice *choice, int parameter,
                             int value_index, struct convolution_choice *next) {
    const struct convolution_parameter *parameters = parameters_of(context, choice->engine);
    const int most = (int)(sizeof parameters->values / sizeof *parameters->values);
    for (int i = 0; i <= parameter; ++i) {
        if (!parameters[i].name) {
            return false;
        }
    }
    *next = *choice;
    if (value_index >= most || parameters[parameter].values[value_index] == 0) {
        return false;
    }
    next->parameters[parameter] = parameters[parameter].values[value_index];
    return true;
}
