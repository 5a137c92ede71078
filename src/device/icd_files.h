/* icd_files.h: the files by which the system's loader finds OpenCL drivers, and those of them that lead nowhere: the
 * loader passes over these without a word. */
#ifndef DEVICE_ICD_FILES_H
#define DEVICE_ICD_FILES_H

#include "nst.h"

/* Adds a note for each .icd file whose driver cannot be loaded, or that crashes or hangs for `patience_ms` while it is:
 * tried in a child process. The folder is $OCL_ICD_VENDORS or $OPENCL_VENDOR_PATH if one of them names a folder, else
 * /etc/OpenCL/vendors. False without memory. */
bool icd_files_note(int patience_ms, nst_device_list *list);

#endif
