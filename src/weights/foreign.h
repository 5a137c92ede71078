/* foreign.h: what people have under the name of a network that is none. */
#ifndef WEIGHTS_FOREIGN_H
#define WEIGHTS_FOREIGN_H

#include "weights/tensors.h"

/* The most that foreign_kind looks at. */
#define FOREIGN_START_BYTES 512

/* Tells a file by its first bytes: "a web page; the download went wrong, get it again", to go on after "FILE is ".
 * NULL for what it does not know. */
const char *foreign_kind(const unsigned char *start, size_t bytes);

#endif
