/* line.h: what the tuner found for one row of the table. */
#ifndef TUNE_LINE_H
#define TUNE_LINE_H

#include "device/tuning.h"
#include "measure/outcome.h"

struct tune_line {
    struct tuning_row row;
    char default_choice[TUNING_CHOICE_LENGTH];
    int tried, wrong; /* choices, and those of them that computed wrongly or failed */
    bool is_earlier;  /* found by an earlier run */
    struct outcome outcome;
};

#endif
