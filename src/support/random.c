/* random.c: xoshiro256++ and what is drawn from it; see random.h. */
#include "support/random.h"

#include <math.h>

static uint64_t rotate_left(uint64_t x, int bits) {
    return (x << bits) | (x >> (64 - bits));
}

/* The state is filled by splitmix64, as the generator's authors advise: it is never all zero, and near seeds give
 * unrelated sequences. */
struct random_generator random_from_seed(uint64_t seed) {
    struct random_generator generator;
    for (int i = 0; i < 4; ++i) {
        seed += 0x9e3779b97f4a7c15u;
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        generator.state[i] = z ^ (z >> 31);
    }
    return generator;
}

uint64_t random_bits(struct random_generator *generator) {
    uint64_t *s = generator->state;
    uint64_t result = rotate_left(s[0] + s[3], 23) + s[0];
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

double random_uniform(struct random_generator *generator) {
    return (double)(random_bits(generator) >> 11) * 0x1.0p-53;
}

/* Ratio of uniforms (Kinderman and Monahan 1977). The value is a product and a quotient, exact in IEEE arithmetic; the
 * logarithm, which differs between C libraries in its last bit, only accepts or rejects. */
double random_normal(struct random_generator *generator) {
    const double width = 1.7155277699214135; /* sqrt(8 / e) */
    for (;;) {
        double u = 1.0 - random_uniform(generator);
        double v = width * (random_uniform(generator) - 0.5);
        double x = v / u;
        if (x * x <= -4.0 * log(u)) {
            return x;
        }
    }
}
