/* clock.h: the time that commands measure. */
#ifndef CLI_CLOCK_H
#define CLI_CLOCK_H

/* Seconds of a clock that only goes forward. */
double clock_seconds(void);

#endif
