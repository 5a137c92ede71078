/* system_gpus.c: looks for cards without an OpenCL driver; see system_gpus.h. */
#include "device/system_gpus.h"

#include "device/list.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static const struct vendor {
    unsigned long id; /* of the PCI registry */
    const char *name;
    const char *words[3]; /* in the vendor, platform or name of an OpenCL device of theirs */
    const char *advice;
} vendors[] = {
    {0x10de, "NVIDIA", {"nvidia"}, "install NVIDIA's driver with its OpenCL part (nvidia-opencl-icd)"},
    {0x1002,
     "AMD",
     {"amd", "advanced micro", "radeon"},
     "install mesa-opencl-icd and set RUSTICL_ENABLE=radeonsi, or ROCm"},
    {0x8086, "Intel", {"intel"}, "install intel-opencl-icd"},
};

enum { VENDOR_COUNT = sizeof vendors / sizeof *vendors };

/* The number in the one-line file `folder/entry/file`; 0 if there is none. */
static unsigned long read_number(const char *folder, const char *entry, const char *file) {
    char path[1024], text[32] = "";
    snprintf(path, sizeof path, "%s/%s/%s", folder, entry, file);
    FILE *stream = fopen(path, "r");
    if (!stream) {
        return 0;
    }
    bool got = fgets(text, sizeof text, stream) != NULL;
    fclose(stream);
    return got ? strtoul(text, NULL, 16) : 0;
}

static bool contains_word(const char *text, const char *word) {
    size_t length = strlen(word);
    for (; *text; ++text) {
        size_t same = 0;
        while (same < length && tolower((unsigned char)text[same]) == word[same]) {
            ++same;
        }
        if (same == length) {
            return true;
        }
    }
    return false;
}

static bool is_offered(const nst_device_list *list, const struct vendor *vendor, const char *address) {
    for (size_t i = 0; i < list->count; ++i) {
        const nst_device_info *device = &list->devices[i];
        if (device->type != NST_DEVICE_GPU) {
            continue;
        }
        if (strcmp(device->bus_address, address) == 0) {
            return true;
        }
        for (size_t w = 0; w < sizeof vendor->words / sizeof *vendor->words && vendor->words[w]; ++w) {
            if (contains_word(device->vendor, vendor->words[w]) || contains_word(device->name, vendor->words[w])) {
                return true;
            }
        }
    }
    return false;
}

bool system_gpus_note(const char *pci_folder, nst_device_list *list) {
    DIR *folder = opendir(pci_folder);
    if (!folder) {
        return true;
    }
    bool is_missing[VENDOR_COUNT] = {false}, complete = true;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.' || read_number(pci_folder, entry->d_name, "class") >> 16 != 0x03) {
            continue;
        }
        unsigned long id = read_number(pci_folder, entry->d_name, "vendor");
        for (size_t v = 0; v < VENDOR_COUNT; ++v) {
            if (vendors[v].id == id && !is_offered(list, &vendors[v], entry->d_name)) {
                is_missing[v] = true;
            }
        }
    }
    closedir(folder);
    for (size_t v = 0; complete && v < VENDOR_COUNT; ++v) {
        if (is_missing[v]) {
            complete = list_add_note(list, "This machine has a graphics card of %s that no OpenCL driver offers: %s.",
                                     vendors[v].name, vendors[v].advice);
        }
    }
    return complete;
}
