/* settings.h: what a job can be made with. */
#ifndef STYLIZE_SETTINGS_H
#define STYLIZE_SETTINGS_H

#include "nst.h"

/* Are the settings of a job within their ranges, and do the pictures fit them? Errors: NST_ERROR_ARGUMENT. */
nst_status settings_check(const nst_settings *settings, const nst_job_pictures *pictures, nst_error *error);

#endif
