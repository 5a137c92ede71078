/* job.cl: the kernels that nearly every job needs beside its convolutions, as one program: at each start a compiler
 * takes far longer to begin with a program than to go through these. */
#include "content.cl"
#include "gram.cl"
#include "halo.cl"
#include "input.cl"
#include "pack.cl"
#include "padding.cl"
#include "pooling.cl"
