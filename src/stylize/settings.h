/* settings.h: what a job can be made with. */
#ifndef STYLIZE_SETTINGS_H
#define STYLIZE_SETTINGS_H

#include "nst.h"

/* Are the settings whose range does not depend on others within it? Errors: NST_ERROR_ARGUMENT. */
nst_status settings_check_ranges(const nst_settings *settings, nst_error *error);

/* Are the settings of a job within their ranges, and do the pictures fit them? Errors: NST_ERROR_ARGUMENT. */
nst_status settings_check(const nst_settings *settings, const nst_job_pictures *pictures, nst_error *error);

#endif
