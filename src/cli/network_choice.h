/* network_choice.h: the network that a command works with. */
#ifndef CLI_NETWORK_CHOICE_H
#define CLI_NETWORK_CHOICE_H

#include "nst.h"

/* Opens a network for the layers of the settings: reads no more of it than their names say is needed, and all of it
 * where they mislead. `name` and `input_convention` as for nst_network_open, whose errors these are. */
nst_status network_choice_open(const char *name, const char *input_convention, const nst_settings *settings,
                               nst_network **network, nst_error *error);

/* Opens the network that a command measures with, for the default recipe. Without a name: the one of jobs that name
 * none, or NULL, for one made up in VGG-19's shape, if that is not installed. Errors: those of nst_network_open. */
nst_status network_choice_open_measured(const char *name, const char *input_convention, nst_network **network,
                                        nst_error *error);

#endif
