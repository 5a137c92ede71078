/* architecture.h: the architectures that nst knows without being told, VGG-16 and VGG-19 (Simonyan and Zisserman 2014,
 * table 1, columns D and E), and how the tensors of their convolutions are named in files. */
#ifndef WEIGHTS_ARCHITECTURE_H
#define WEIGHTS_ARCHITECTURE_H

#include "weights/description.h"

/* Recognizes the architecture from the names of the tensors, and fills in its layers. A file that holds only the first
 * convolutions is a shorter network: description->present_layers. One that lacks a layer in between is an error.
 * Errors: NST_ERROR_NETWORK, NST_ERROR_MEMORY. */
nst_status architecture_recognize(const struct tensor_list *list, struct description *description, nst_error *error);

/* The tensor from which the weights of a convolution are read: its weights, their codes or their packed codes; NULL if
 * it has none of them. */
const struct tensor *convolution_tensor(const struct tensor_list *list, const struct description *description,
                                        const struct described_layer *layer);

/* A tensor of a layer by its suffix, or NULL, also for a suffix of NULL. */
const struct tensor *layer_tensor(const struct tensor_list *list, const struct described_layer *layer,
                                  const char *suffix);

#endif
