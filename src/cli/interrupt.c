/* interrupt.c: being asked to stop, by signals. */
#include "cli/interrupt.h"

#include <signal.h>
#include <unistd.h>

static volatile int caught;

static void handle(int signal_number) {
    if (caught) {
        static const char line_end[] = "\n"; /* leaves the progress bar's line */
        if (isatty(STDERR_FILENO) && write(STDERR_FILENO, line_end, 1) < 0) {
            _exit(128 + signal_number);
        }
        _exit(128 + signal_number);
    }
    caught = signal_number;
}

static void catch_signal(int signal_number) {
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

void interrupt_catch(void) {
    catch_signal(SIGINT);
    catch_signal(SIGTERM);
    struct sigaction before;
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) { /* not under nohup */
        catch_signal(SIGHUP);
    }
    signal(SIGPIPE, SIG_IGN); /* a reader of our messages that goes away must not cost the picture */
    /* Behind `ulimit -f` a write is to fail, as on a full disk, so that nothing half-written is left. Now that the
     * driver is loaded: LLVM inside it may have taken the signal for its own reports. */
    signal(SIGXFSZ, SIG_IGN);
}

const volatile int *interrupt_flag(void) {
    return &caught;
}
