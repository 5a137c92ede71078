/* clock.h: the time that passes. */
#ifndef SUPPORT_CLOCK_H
#define SUPPORT_CLOCK_H

/* Seconds of a clock that only goes forward; it begins anywhere. */
double seconds_now(void);

#endif
