/* kinds.h: the losses that are built in; their table is in loss.c. */
#ifndef LOSS_KINDS_H
#define LOSS_KINDS_H

#include "loss/loss.h"

extern const struct loss_methods content_loss, gram_loss, total_variation_loss;

#endif
