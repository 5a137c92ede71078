/* system_gpus.h: graphics cards that the system shows but no OpenCL driver offers. */
#ifndef DEVICE_SYSTEM_GPUS_H
#define DEVICE_SYSTEM_GPUS_H

#include "nst.h"

/* Where Linux shows the PCI devices; elsewhere there is no such folder, and so no notes. */
#define SYSTEM_PCI_FOLDER "/sys/bus/pci/devices"

/* Adds a note for each vendor of a display controller in `pci_folder` (files `class` and `vendor` of each entry) of
 * which no GPU is in the list, naming the package with the driver. A card is offered if a GPU in the list has its PCI
 * address or names its vendor. False without memory. */
bool system_gpus_note(const char *pci_folder, nst_device_list *list);

#endif
