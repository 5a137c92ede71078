/* deal.c: bands of rows for devices; see deal.h. */
#include "evaluate/deal.h"

#include <math.h>

int deal_unit_count(const struct tiling *tiling) {
    return (tiling->picture.height + tiling->unit - 1) / tiling->unit;
}

/* Each device ends where the sum of the shares so far does. */
static struct deal deal_by_shares(const struct tiling *tiling, const double *shares, int count) {
    struct deal deal = {.count = count};
    double total = 0, sum = 0;
    int units = deal_unit_count(tiling), dealt = 0;
    for (int i = 0; i < count; ++i) {
        total += shares[i];
    }
    for (int i = 0; i < count; ++i) {
        sum += shares[i];
        int end = (int)floor(units * (sum / total) + 0.5);
        deal.units[i] = end - dealt;
        dealt = end;
    }
    return deal;
}

struct deal deal_by_parts(const struct tiling *tiling, const int *parts, int count) {
    double shares[NST_MAX_DEVICES];
    for (int i = 0; i < count; ++i) {
        shares[i] = parts[i];
    }
    return deal_by_shares(tiling, shares, count);
}

struct span deal_band(const struct deal *deal, const struct tiling *tiling, int device) {
    int before = 0, height = tiling->picture.height;
    for (int i = 0; i < device; ++i) {
        before += deal->units[i];
    }
    int begin = before * tiling->unit, end = begin + deal->units[device] * tiling->unit;
    return (struct span){begin < height ? begin : height, end < height ? end : height};
}

double deal_pixels(const struct deal *deal, const struct tiling *tiling, int device) {
    struct span band = deal_band(deal, tiling, device);
    if (band.begin == band.end) {
        return 0;
    }
    int begin = band.begin - tiling->halo.before, end = band.end + tiling->halo.after, height = tiling->picture.height;
    return (double)tiling->picture.width * ((end < height ? end : height) - (begin > 0 ? begin : 0));
}

double deal_seconds(const struct deal *deal, const struct tiling *tiling, const double *speeds) {
    double last = 0;
    for (int i = 0; i < deal->count; ++i) {
        double pixels = deal_pixels(deal, tiling, i);
        double seconds = pixels == 0 ? 0 : speeds[i] > 0 ? pixels / speeds[i] : INFINITY;
        last = fmax(last, seconds);
    }
    return last;
}

/* Moves one unit from one device to another, if that helps. */
static bool improve(struct deal *deal, const struct tiling *tiling, const double *speeds) {
    struct deal best = *deal;
    double least = deal_seconds(deal, tiling, speeds), before = least;
    for (int from = 0; from < deal->count; ++from) {
        for (int to = 0; to < deal->count; ++to) {
            struct deal moved = *deal;
            moved.units[from]--;
            moved.units[to]++;
            if (from == to || moved.units[from] < 0) {
                continue;
            }
            double seconds = deal_seconds(&moved, tiling, speeds);
            if (seconds < least) {
                least = seconds;
                best = moved;
            }
        }
    }
    *deal = best;
    return least < before;
}

struct deal deal_by_speed(const struct tiling *tiling, const double *speeds, int count) {
    struct deal deal = deal_by_shares(tiling, speeds, count);
    while (improve(&deal, tiling, speeds)) {
    }
    return deal;
}

void deal_to_all(struct deal *deal, const double *speeds) {
    for (int i = 0; i < deal->count; ++i) {
        int richest = 0;
        for (int k = 1; k < deal->count; ++k) {
            richest = deal->units[k] > deal->units[richest] ? k : richest;
        }
        if (deal->units[i] == 0 && speeds[i] > 0 && deal->units[richest] > 1) {
            deal->units[i]++;
            deal->units[richest]--;
        }
    }
}
