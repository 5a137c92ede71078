/* info.c: `nst weights info`: what a network holds. See tools.h. */
#include "weights/convention.h"
#include "weights/network.h"
#include "weights/tools.h"
#include <math.h>

/* One line: statistics by which a broken file shows. */
static void print_statistics(const float *values, size_t count, FILE *stream) {
    double sum = 0, squares = 0;
    float least = values[0], most = values[0];
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
        squares += (double)values[i] * values[i];
        least = fminf(least, values[i]);
        most = fmaxf(most, values[i]);
    }
    double mean = sum / (double)count;
    fprintf(stream, "  min %9.4f  max %9.4f  mean %9.5f  deviation %9.5f\n", (double)least, (double)most, mean,
            sqrt(fmax(squares / (double)count - mean * mean, 0)));
}

static void print_layer(const struct layer *layer, FILE *stream) {
    static const char *const padding[] = {"zero", "reflect", "replicate"};
    if (layer->kind != LAYER_CONVOLUTION) {
        fprintf(stream, "  %-10s %s\n", layer->name, layer->kind == LAYER_RELU ? "ReLU" : "pooling 2x2");
        return;
    }
    fprintf(stream, "  %-10s %4d -> %4d  %dx%d  pad %d %-9s", layer->name, layer->in_channels, layer->out_channels,
            layer->kernel_size, layer->kernel_size, layer->padding, padding[layer->padding_mode]);
    print_statistics(layer->weights,
                     (size_t)layer->out_channels * (size_t)layer->in_channels * (size_t)layer->kernel_size *
                         (size_t)layer->kernel_size,
                     stream);
    if (layer->bias != NULL) {
        fprintf(stream, "  %-10s %4d %-27s", "  bias", layer->out_channels, "");
        print_statistics(layer->bias, (size_t)layer->out_channels, stream);
    }
}

void weights_info_print(const nst_network *network, FILE *stream) {
    static const char channels[] = "RGB";
    const struct input_convention *input = &network->input;
    fprintf(stream, "name     %s\nfile     %s\nsha256   %s\n", network->name, network->path, network->sha256);
    fprintf(stream, "input    %s:", input->name[0] == 0 ? "given by numbers" : input->name);
    for (int i = 0; i < 3; i++)
        fprintf(stream, "%s %c x %g %+g", i == 0 ? "" : ",", channels[input->order[i]], (double)input->scale[i],
                (double)input->offset[i]);
    fprintf(stream, " of pixels 0..255\nlicence  %s\norigin   %s\nlayers   %d\n",
            network->licence[0] == 0 ? "not told" : network->licence,
            network->origin[0] == 0 ? "not told" : network->origin, network->layer_count);
    for (int i = 0; i < network->layer_count; i++)
        print_layer(&network->layers[i], stream);
}
