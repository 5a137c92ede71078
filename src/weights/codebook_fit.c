/* codebook_fit.c: the codebook of many different values: k-means in one dimension (Lloyd 1982), begun by splitting,
 * again and again, the cluster with the largest error (Linde, Buzo and Gray 1980). On sorted values a cluster is a
 * range, and its mean and error come from sums from the start; so a round costs 256 searches, however many values there
 * are, and hundreds of rounds can be afforded. See codebook.h. */
#include "support/error.h"
#include "weights/codebook.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ROUNDS 1000

/* The values, ascending, and for each place the sums of all that lie before it. */
struct sorted {
    size_t count;
    float *values;
    double *sums, *squares;
};

struct cluster {
    size_t start, end; /* of the sorted values; never empty */
};

static int compare_floats(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static nst_status sort_values(const float *values, size_t count, struct sorted *sorted, nst_error *error) {
    *sorted = (struct sorted){.count = count};
    sorted->values = malloc(count * sizeof *sorted->values);
    sorted->sums = calloc(count + 1, sizeof *sorted->sums);
    sorted->squares = calloc(count + 1, sizeof *sorted->squares);
    if (sorted->values == NULL || sorted->sums == NULL || sorted->squares == NULL) {
        return fail_memory(error, count * 20, "the codebook of a layer");
    }
    memcpy(sorted->values, values, count * sizeof *values);
    qsort(sorted->values, count, sizeof *sorted->values, compare_floats);
    for (size_t i = 0; i < count; i++) {
        double value = (double)sorted->values[i];
        sorted->sums[i + 1] = sorted->sums[i] + value;
        sorted->squares[i + 1] = sorted->squares[i] + value * value;
    }
    return NST_OK;
}

static void free_sorted(struct sorted *sorted) {
    free(sorted->values);
    free(sorted->sums);
    free(sorted->squares);
}

static double mean(const struct sorted *sorted, struct cluster cluster) {
    return (sorted->sums[cluster.end] - sorted->sums[cluster.start]) / (double)(cluster.end - cluster.start);
}

/* The sum of the squared distances from the mean. */
static double squared_error(const struct sorted *sorted, struct cluster cluster) {
    double sum = sorted->sums[cluster.end] - sorted->sums[cluster.start];
    return sorted->squares[cluster.end] - sorted->squares[cluster.start] -
           sum * sum / (double)(cluster.end - cluster.start);
}

/* The first value of a cluster that is not below `limit`. */
static size_t find(const struct sorted *sorted, struct cluster cluster, double limit) {
    while (cluster.start < cluster.end) {
        size_t middle = cluster.start + (cluster.end - cluster.start) / 2;
        if ((double)sorted->values[middle] < limit) {
            cluster.start = middle + 1;
        } else {
            cluster.end = middle;
        }
    }
    return cluster.start;
}

/* Splits [0, count) into at most `most_clusters`, ascending, and returns how many. */
static int split(const struct sorted *sorted, int most_clusters, struct cluster clusters[CODEBOOK_MAX]) {
    int count = 1;
    clusters[0] = (struct cluster){0, sorted->count};
    while (count < most_clusters) {
        int worst = 0;
        double most = -1;
        for (int i = 0; i < count; i++) {
            bool single = sorted->values[clusters[i].start] == sorted->values[clusters[i].end - 1];
            double error = single ? -1 : squared_error(sorted, clusters[i]);
            if (error > most) {
                most = error;
                worst = i;
            }
        }
        struct cluster cluster = clusters[worst];
        size_t middle = find(sorted, cluster, mean(sorted, cluster));
        if (most < 0 || middle == cluster.start || middle == cluster.end) {
            break; /* every cluster has one value only, or two that differ by less than their sums can tell */
        }
        memmove(clusters + worst + 1, clusters + worst, (size_t)(count - worst) * sizeof *clusters);
        clusters[worst].end = clusters[worst + 1].start = middle;
        count++;
    }
    return count;
}

/* Gives every value to the cluster whose mean is nearest. Returns whether anything moved. */
static bool improve(const struct sorted *sorted, struct cluster *clusters, int count) {
    bool moved = false;
    double left = mean(sorted, clusters[0]);
    for (int i = 0; i + 1 < count; i++) {
        double right = mean(sorted, clusters[i + 1]);
        struct cluster both = {clusters[i].start, clusters[i + 1].end};
        size_t border = find(sorted, both, (left + right) / 2);
        left = right;
        if (border == clusters[i].end || border == both.start || border == both.end) {
            continue; /* no cluster is left empty */
        }
        clusters[i].end = clusters[i + 1].start = border;
        moved = true;
    }
    return moved;
}

/* The code of the nearest value of the codebook. */
static unsigned char nearest(const float *codebook, int size, float value) {
    int low = 0, high = size - 1;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (codebook[middle] <= value) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return (unsigned char)(fabsf(value - codebook[low]) <= fabsf(codebook[high] - value) ? low : high);
}

int codebook_fit(const float *values, size_t count, int most, unsigned char *codes, float codebook[CODEBOOK_MAX],
                 nst_error *error) {
    struct cluster clusters[CODEBOOK_MAX];
    struct sorted sorted;
    int size = 0;
    if (!sort_values(values, count, &sorted, error)) {
        size = split(&sorted, most, clusters);
        for (int round = 0; round < MAX_ROUNDS && improve(&sorted, clusters, size); round++) {
            ;
        }
        for (int i = 0; i < size; i++) {
            codebook[i] = (float)mean(&sorted, clusters[i]);
        }
        for (size_t i = 0; i < count; i++) {
            codes[i] = nearest(codebook, size, values[i]);
        }
    }
    free_sorted(&sorted);
    return size;
}
