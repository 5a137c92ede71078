/* convolution_choice.c: which engine does a convolution, and with which parameters: as the device's table says, else as
 * is built in. */
#include "device/tuning.h"
#include "network/convolution_engine.h"
#include "support/text.h"

#include <stdio.h>
#include <string.h>

/* ---- Engines ----------------------------------------------------------------------------------------------------- */

/* The faster ones first, and last the one that can do any shape. */
extern const struct convolution_engine convolution_winograd_cpu, convolution_winograd_units, convolution_winograd_gpu,
    convolution_winograd_clblast, convolution_direct_cpu, convolution_direct_gpu, convolution_clblast,
    convolution_plain, convolution_units;
static const struct convolution_engine *const built_in[] = {
    &convolution_units,
    &convolution_winograd_cpu,
    &convolution_winograd_units,
    &convolution_winograd_gpu,
    &convolution_winograd_clblast,
    &convolution_direct_cpu,
    &convolution_direct_gpu,
    &convolution_clblast,
    &convolution_plain,
    NULL,
};

const struct convolution_engine *const *convolution_engines(const nst_context *context) {
    return context->tables.engines ? context->tables.engines : built_in;
}

const struct convolution_engine *convolution_reference_engine(const nst_context *context) {
    const struct convolution_engine *const *engine = convolution_engines(context);
    while (engine[1]) {
        ++engine;
    }
    return *engine;
}

static bool suits_device(const struct convolution_engine *engine, const nst_context *context) {
    switch (engine->device) {
    case ANY_DEVICE:
        break;
    case CPUS:
        return context->loops_in_kernel && context->channel_block >= 4;
    case GPUS:
        return !context->loops_in_kernel && context->channel_block == 1;
    }
    return true;
}

const struct convolution_engine *convolution_find_engine(const nst_context *context, const char *word) {
    for (const struct convolution_engine *const *engine = convolution_engines(context); *engine; ++engine) {
        if (strcmp((*engine)->word, word) == 0 && suits_device(*engine, context)) {
            return *engine;
        }
    }
    return NULL;
}

const char *convolution_engine_name(const struct convolution_engine *engine) {
    return engine->name;
}

bool convolution_engine_transforms(const struct convolution_engine *engine) {
    return engine->transforms;
}

bool convolution_supports(const struct convolution_engine *engine, const nst_context *context,
                          const struct convolution_shape *shape) {
    bool pools = shape->epilogue == EPILOGUE_RELU_POOL || shape->unpools;
    bool has_image = shape->from_image || shape->to_image;
    return suits_device(engine, context) && (engine->pools || !pools) && (engine->images || !has_image) &&
           (engine->in_place || !shape->in_place) && engine->supports(engine, context, shape);
}

/* ---- What is built in -------------------------------------------------------------------------------------------- */

bool convolution_engine_can(const nst_context *context, const struct convolution_shape *shape,
                            const struct convolution_engine *engine) {
    char key[TUNING_KEY_LENGTH];
    convolution_engine_key(engine, key, sizeof key);
    const struct tuning_row *row = tuning_find(&context->tuning, key);
    return convolution_supports(engine, context, shape) && !(row && !*row->choice);
}

static const struct convolution_engine *default_engine(const nst_context *context,
                                                       const struct convolution_shape *shape) {
    int channels = shape->in_channels < shape->out_channels ? shape->in_channels : shape->out_channels;
    for (const struct convolution_engine *const *engine = convolution_engines(context); *engine; ++engine) {
        if (channels >= (*engine)->least_channels && convolution_engine_can(context, shape, *engine)) {
            return *engine;
        }
    }
    return convolution_reference_engine(context);
}

struct convolution_choice convolution_default_choice(const nst_context *context, const struct convolution_shape *shape,
                                                     const struct convolution_engine *engine) {
    struct convolution_choice choice = {.engine = engine ? engine : default_engine(context, shape)};
    if (choice.engine->set_defaults) {
        choice.engine->set_defaults(context, shape, choice.parameters);
    }
    return choice;
}

struct convolution_choice convolution_choose(const nst_context *context, const struct convolution_shape *shape,
                                             const struct convolution_engine *engine) {
    char key[TUNING_KEY_LENGTH];
    struct convolution_choice choice;
    convolution_key(context, shape, key, sizeof key);
    const struct tuning_row *row = tuning_find(&context->tuning, key);
    if (row && convolution_choice_parse(context, shape, row->choice, &choice) && (!engine || engine == choice.engine)) {
        return choice;
    }
    return convolution_default_choice(context, shape, engine);
}

bool convolution_is_possible(const nst_context *context, const struct convolution_shape *shape,
                             const struct convolution_engine *engine) {
    const struct convolution_engine *usual = default_engine(context, shape);
    return (!engine || engine == usual) && convolution_engine_can(context, shape, usual);
}

bool convolution_can_pool(const nst_context *context, const struct convolution_shape *shape,
                          const struct convolution_engine *engine) {
    struct convolution_shape pooling = *shape;
    pooling.epilogue = EPILOGUE_RELU_POOL;
    return shape->padding == 1 && convolution_is_possible(context, &pooling, engine);
}

/* ---- As text ----------------------------------------------------------------------------------------------------- */

void convolution_key(const nst_context *context, const struct convolution_shape *shape, char *key, size_t size) {
    snprintf(key, size, "convolution %dx%d, %d to %d%s%s, block %d%s", shape->kernel_size, shape->kernel_size,
             shape->in_channels, shape->out_channels, shape->epilogue == EPILOGUE_RELU_POOL ? ", pooling" : "",
             shape->unpools ? ", unpooling" : "", context->channel_block,
             shape->half_maps && context->half_unit ? ", 16 bits" : "");
}

void convolution_engine_key(const struct convolution_engine *engine, char *key, size_t size) {
    snprintf(key, size, "engine %s", engine->word);
}

/* The engine's parameters; an empty list for one without. */
static const struct tuning_parameter *parameters_of(const struct convolution_engine *engine) {
    static const struct tuning_parameter none[] = {{NULL, {0}}};
    return engine->parameters ? engine->parameters : none;
}

void convolution_choice_format(const struct convolution_choice *choice, char *text, size_t size) {
    const struct tuning_parameter *parameters = parameters_of(choice->engine);
    int length = snprintf(text, size, "%s", choice->engine->word);
    for (int i = 0; parameters[i].name && (size_t)length < size; ++i) {
        length += snprintf(text + length, size - (size_t)length, " %s=%d", parameters[i].name, choice->parameters[i]);
    }
}

/* Reads the word of one parameter, " tiles=8", and moves on behind it. */
static bool parse_parameter(const char **text, const struct tuning_parameter *parameter, int *value) {
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
    char word[TUNING_CHOICE_LENGTH];
    size_t length = strcspn(text, " ");
    snprintf(word, sizeof word, "%.*s", (int)length, text);
    *choice = (struct convolution_choice){.engine = convolution_find_engine(context, word)};
    if (!choice->engine || !convolution_engine_can(context, shape, choice->engine)) {
        return false;
    }
    const struct tuning_parameter *parameters = parameters_of(choice->engine);
    text += length;
    for (int i = 0; parameters[i].name; ++i) {
        if (!parse_parameter(&text, &parameters[i], &choice->parameters[i])) {
            return false;
        }
    }
    return !*text;
}

/* ---- Neighbors --------------------------------------------------------------------------------------------------- */

bool convolution_next_choice(const struct convolution_choice *choice, int parameter, int value_index,
                             struct convolution_choice *next) {
    const struct tuning_parameter *parameters = parameters_of(choice->engine);
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
