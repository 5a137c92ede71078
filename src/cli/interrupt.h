/* interrupt.h: being asked to stop. The first Ctrl-C (SIGINT), SIGTERM or hang-up sets a flag, so that the iteration in
 * hand is finished and the picture written; the second one quits at once. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

/* Installs the handlers. Before this, a signal ends the program as usual. */
void interrupt_catch(void);

/* The flag: the number of the signal that came, or 0. The only state of the program outside its objects: a signal
 * handler has no other way to pass anything on. */
const volatile int *interrupt_flag(void);

#endif
