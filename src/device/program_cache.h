/* program_cache.h: compiled programs in files, so that a second start need not compile.
 *
 * A file is named by the SHA-256 of all that its content depends on, and is
 *     "nstprog" and a zero | format version, 4 bytes | length of the content, 8 bytes | key, 32 bytes |
 *     SHA-256 of the content, 32 bytes | content
 * with numbers little-endian. Files appear complete or not at all. Whatever is doubtful about a file or the folder
 * means that the program is built again, without a word: a cache is never an error. The folder may be deleted at any
 * time.
 */
#ifndef DEVICE_PROGRAM_CACHE_H
#define DEVICE_PROGRAM_CACHE_H

#include "nst.h"

struct program_cache_key {
    uint8_t digest[32];
};

/* The key made from these texts, each with its length, so that moving a border between two changes it. */
struct program_cache_key program_cache_key(const char *const *parts, size_t count);

/* $NST_CACHE_DIR, else $XDG_CACHE_HOME/nst, else $HOME/.cache/nst; from malloc, NULL if none of them is set. */
char *program_cache_folder(void);

/* The content stored under the key, from malloc; false if there is none that can be trusted. */
bool program_cache_read(const char *folder, const struct program_cache_key *key, unsigned char **content,
                        size_t *bytes);

/* Stores the content, creating the folder if need be; false if that is not possible. */
bool program_cache_write(const char *folder, const struct program_cache_key *key, const unsigned char *content,
                         size_t bytes);

/* Removes what is stored under the key: the driver would not take it. */
void program_cache_remove(const char *folder, const struct program_cache_key *key);

#endif
