/* random.h: the one seeded generator; the same seed gives the same numbers everywhere (xoshiro256++, Blackman and Vigna
 * 2019). */
#ifndef SUPPORT_RANDOM_H
#define SUPPORT_RANDOM_H

#include <stdint.h>

struct random_generator {
    uint64_t state[4];
};

struct random_generator random_from_seed(uint64_t seed);
uint64_t random_bits(struct random_generator *generator);
double random_uniform(struct random_generator *generator); /* [0, 1) */
double random_normal(struct random_generator *generator);  /* mean 0, variance 1 */

#endif
