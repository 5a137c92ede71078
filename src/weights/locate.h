/* locate.h: from the name of a network to its file. */
#ifndef WEIGHTS_LOCATE_H
#define WEIGHTS_LOCATE_H

#include "nst.h"

#define FOLDER_COUNT_MAX 6

/* Where networks are looked for, in this order: the user's data folder ($XDG_DATA_HOME/nst/weights, else
 * ~/.local/share/nst/weights); the share folder of the installation that the running code belongs to, by the way from
 * the shared library or the program to it, if it is there; the share folder that was configured; weights/ of the source
 * tree. */
struct network_folders {
    char *paths[FOLDER_COUNT_MAX]; /* from malloc */
    const char *titles[FOLDER_COUNT_MAX];
    int count;
};

nst_status network_folders_find(struct network_folders *folders, nst_error *error);
void network_folders_free(struct network_folders *folders);

/* Whether the text is a path (it has a slash or an ending) rather than a name. */
bool network_is_path(const char *name_or_path);

/* The file of the network `name`, from malloc: NAME.safetensors, .pth or .pt in the first folder that has one, or a
 * known file's usual name (vgg19-d01eb7cb.pth for vgg19). Errors: NST_ERROR_FILE, naming the folders and the nearest
 * name. */
nst_status network_locate(const char *name, char **path, nst_error *error);

/* The name for a file: its base name without its ending, into `name` (of `size`). */
void network_base_name(const char *path, char *name, size_t size);

/* Whether a file name has one of the endings of networks. */
bool network_has_ending(const char *file_name);

#endif
