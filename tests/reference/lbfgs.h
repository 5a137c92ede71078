/* lbfgs.h: L-BFGS in float64 by the book (Nocedal and Wright 2006, algorithm 7.4), with whole vectors and no line
 * search: the truth for the device's, which works on inner products. */
#ifndef REFERENCE_LBFGS_H
#define REFERENCE_LBFGS_H

#include <stdbool.h>
#include <stddef.h>

enum { REFERENCE_LBFGS_PAIRS = 64 };

struct reference_lbfgs {
    size_t count;
    int history, pairs; /* kept at most, kept now; from the oldest to the newest */
    double *s[REFERENCE_LBFGS_PAIRS], *y[REFERENCE_LBFGS_PAIRS];
    double *last_vector, *last_gradient;
    bool has_last;
    bool bounded;
    double low, high;
    int rejected; /* pairs without positive curvature so far */
};

/* direction = - H gradient, H from the pairs */
void reference_two_loop(size_t count, int pairs, double *const *s, double *const *y, const double *gradient,
                        double *direction);

void reference_lbfgs_init(struct reference_lbfgs *lbfgs, size_t count, int history);
void reference_lbfgs_free(struct reference_lbfgs *lbfgs);

/* Takes in the vector and its gradient and gives the direction from there, for steps of its whole length or, while
 * there are no pairs, of any. Bounded: held elements (at a bound, with a gradient that pulls them out) have no
 * gradient; the direction says nothing about them. */
void reference_lbfgs_direction(struct reference_lbfgs *lbfgs, const double *vector, const double *gradient,
                               double *direction);

bool reference_lbfgs_is_held(const struct reference_lbfgs *lbfgs, double value, double gradient);

#endif
