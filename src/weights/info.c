/* info.c: `nst weights info`: what a network holds, and what about it looks broken. See tools.h. */
#include "support/error.h"
#include "weights/convention.h"
#include "weights/description.h"
#include "weights/network.h"
#include "weights/tools.h"
#include <math.h>
#include <stdarg.h>

/* A layer multiplies the size of what goes in by about the deviation of its weights times the square root of how many
 * are added up. Networks that were trained keep that near 1; these are far from any. */
#define LEAST_GAIN   1e-4
#define MOST_GAIN    1e4
#define MOST_OUTLIER 1000 /* the largest weight over the deviation: a flipped bit of an exponent */
#define MOST_BIAS    1e6

struct statistics {
    size_t count, not_finite;
    double least, most, mean, deviation; /* of the finite ones */
};

static struct statistics measure(const float *values, size_t count) {
    struct statistics found = {.count = count, .least = INFINITY, .most = -INFINITY};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        double value = (double)values[i];
        if (!isfinite(value)) {
            found.not_finite++;
            continue;
        }
        sum += value;
        squares += value * value;
        found.least = fmin(found.least, value);
        found.most = fmax(found.most, value);
    }
    double finite = (double)(count - found.not_finite);
    if (finite > 0) {
        found.mean = sum / finite;
        found.deviation = sqrt(fmax(squares / finite - found.mean * found.mean, 0));
    }
    return found;
}

static void print_statistics(const struct statistics *found, FILE *stream) {
    if (found->not_finite == found->count) {
        fprintf(stream, "\n");
    } else {
        fprintf(stream, "  min %9.4g  max %9.4g  mean %9.5f  deviation %9.5f\n", found->least, found->most, found->mean,
                found->deviation);
    }
}

static int count_zero_channels(const struct layer *layer) {
    size_t each = layer_weight_count(layer) / (size_t)layer->out_channels;
    int zero_channels = 0;
    for (int channel = 0; channel < layer->out_channels; channel++) {
        const float *weights = layer->weights + (size_t)channel * each;
        size_t i = 0;
        while (i < each && weights[i] == 0) {
            i++;
        }
        zero_channels += i == each;
    }
    return zero_channels;
}

/* Prints one line of suspicion behind a layer; returns 1, to be counted. */
__attribute__((format(printf, 2, 3))) static int suspect(FILE *stream, const char *format, ...) {
    va_list arguments;
    fprintf(stream, "             suspect: ");
    va_start(arguments, format);
    vfprintf(stream, format, arguments);
    va_end(arguments);
    fputc('\n', stream);
    return 1;
}

/* Prints what looks broken about values, and returns how many things do. */
static int suspect_values(const struct statistics *found, const char *what, FILE *stream) {
    if (found->not_finite > 0) {
        return suspect(stream, "%zu of %zu %s are not finite", found->not_finite, found->count, what);
    }
    if (found->count > 1 && found->least == found->most && found->most != 0) {
        return suspect(stream, "all %s are %g", what, found->most);
    }
    return 0;
}

static int suspect_weights(const struct layer *layer, const struct statistics *found, FILE *stream) {
    int zero_channels = count_zero_channels(layer), suspects = suspect_values(found, "weights", stream);
    if (zero_channels > 0) {
        suspects += suspect(stream, "%d of %d channels are all zero", zero_channels, layer->out_channels);
    }
    double size = sqrt(found->deviation * found->deviation + found->mean * found->mean);
    double gain = size * sqrt((double)(layer_weight_count(layer) / (size_t)layer->out_channels));
    if (size > 0 && (gain < LEAST_GAIN || gain > MOST_GAIN)) {
        suspects +=
            suspect(stream, "the weights' size is absurd: the layer would multiply its input by about %.0e", gain);
    }
    double largest = fmax(fabs(found->least), fabs(found->most));
    if (size > 0 && largest > MOST_OUTLIER * size) {
        suspects += suspect(stream, "one weight is %.0f times as large as they are on average", largest / size);
    }
    return suspects;
}

static int suspect_bias(const struct statistics *found, FILE *stream) {
    int suspects = suspect_values(found, "biases", stream);
    double largest = fmax(fabs(found->least), fabs(found->most));
    if (found->not_finite < found->count && largest > MOST_BIAS) {
        suspects += suspect(stream, "the biases' size is absurd: up to %.0e", largest);
    }
    return suspects;
}

/* What is wrong with a network as a whole. */
struct findings {
    int suspects;
    size_t not_finite;
};

static void print_layer(const struct layer *layer, struct findings *findings, FILE *stream) {
    if (layer->kind != LAYER_CONVOLUTION) {
        fprintf(stream, "  %-10s %s\n", layer->name, description_kind_key(layer->kind));
        return;
    }
    struct statistics weights = measure(layer->weights, layer_weight_count(layer));
    fprintf(stream, "  %-10s %4d -> %4d  %dx%d  pad %d %-9s %2d bits", layer->name, layer->in_channels,
            layer->out_channels, layer->kernel_size, layer->kernel_size, layer->padding,
            padding_mode_names[layer->padding_mode], layer->stored_bits);
    print_statistics(&weights, stream);
    findings->not_finite += weights.not_finite;
    findings->suspects += suspect_weights(layer, &weights, stream);
    if (layer->bias != NULL) {
        struct statistics bias = measure(layer->bias, (size_t)layer->out_channels);
        fprintf(stream, "  %-10s %4d %-37s", "  bias", layer->out_channels, "");
        print_statistics(&bias, stream);
        findings->not_finite += bias.not_finite;
        findings->suspects += suspect_bias(&bias, stream);
    }
}

static struct findings print_network(const nst_network *network, FILE *stream) {
    static const char channels[] = "RGB";
    const struct input_convention *input = &network->input;
    fprintf(stream, "name     %s\nfile     %s\nsha256   %s\n", network->name, network->path, network->sha256);
    fprintf(stream, "input    %s:", input->name[0] == 0 ? "given by numbers" : input->name);
    for (int i = 0; i < 3; i++) {
        fprintf(stream, "%s %c x %g %+g", i == 0 ? "" : ",", channels[input->order[i]], (double)input->scale[i],
                (double)input->offset[i]);
    }
    fprintf(stream, " of pixels 0..255\nlicense  %s\norigin   %s\nlayers   %d\n",
            network->license[0] == 0 ? "not told" : network->license,
            network->origin[0] == 0 ? "not told" : network->origin, network->layer_count);
    struct findings findings = {0};
    for (int i = 0; i < network->layer_count; i++) {
        print_layer(&network->layers[i], &findings, stream);
    }
    fprintf(stream, "suspect  %s\n", findings.suspects == 0 ? "nothing" : "the lines marked so above");
    return findings;
}

nst_status weights_info(const char *name_or_path, const nst_network_options *options, FILE *stream, nst_error *error) {
    nst_network *network;
    struct description description;
    nst_status status = network_open_described(name_or_path, options, true, &network, &description, error);
    if (status) {
        return status;
    }
    struct findings findings = print_network(network, stream);
    if (findings.not_finite > 0) {
        status =
            fail(error, NST_ERROR_FORMAT, "%s holds %zu values that are not finite; the file is damaged, get it again",
                 network->path, findings.not_finite);
    }
    nst_network_destroy(network);
    description_free(&description);
    return status;
}
