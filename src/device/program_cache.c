/* program_cache.c: the files of compiled programs; see program_cache.h. */
#include "device/program_cache.h"

#include "support/file.h"
#include "support/text.h"

#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT_VERSION = 1, HEADER_BYTES = 8 + 4 + 8 + 32 + 32, LARGEST_FILE_BYTES = 256 << 20 };

static const char magic[8] = "nstprog";

/* ---- Keys and headers ------------------------------------------------------------------------------------------ */

static void put_number(uint8_t *target, uint64_t number, int bytes) {
    for (int i = 0; i < bytes; ++i) {
        target[i] = (uint8_t)(number >> (8 * i));
    }
}

struct program_cache_key program_cache_key(const char *const *parts, size_t count) {
    struct program_cache_key key;
    struct sha256_ctx hash;
    sha256_init(&hash);
    for (size_t i = 0; i < count; ++i) {
        uint8_t length[8];
        put_number(length, strlen(parts[i]), 8);
        sha256_update(&hash, sizeof length, length);
        sha256_update(&hash, strlen(parts[i]), (const uint8_t *)parts[i]);
    }
    sha256_digest(&hash, sizeof key.digest, key.digest);
    return key;
}

/* A file is good only if its header is, to the byte, the one that this program would write for its content. */
static void make_header(uint8_t header[HEADER_BYTES], const struct program_cache_key *key, const unsigned char *content,
                        size_t bytes) {
    struct sha256_ctx hash;
    memcpy(header, magic, 8);
    put_number(header + 8, FORMAT_VERSION, 4);
    put_number(header + 12, bytes, 8);
    memcpy(header + 20, key->digest, 32);
    sha256_init(&hash);
    sha256_update(&hash, bytes, content);
    sha256_digest(&hash, 32, header + 52);
}

/* ---- Paths ----------------------------------------------------------------------------------------------------- */

char *program_cache_folder(void) {
    const char *own = getenv("NST_CACHE_DIR"), *shared = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (own && *own) {
        return strdup(own);
    }
    if (shared && *shared == '/') { /* the XDG specification: a relative path is to be ignored */
        return file_join(shared, "nst", "");
    }
    return home && *home ? file_join(home, ".cache/nst", "") : NULL;
}

static char *path_of(const char *folder, const struct program_cache_key *key) {
    char name[2 * sizeof key->digest + 1];
    text_hexadecimal(key->digest, sizeof key->digest, name);
    return file_join(folder, name, ".bin");
}

/* ---- Files ----------------------------------------------------------------------------------------------------- */

bool program_cache_read(const char *folder, const struct program_cache_key *key, unsigned char **content,
                        size_t *bytes) {
    *content = NULL;
    *bytes = 0;
    char *path = path_of(folder, key);
    unsigned char *data = NULL;
    size_t size = 0;
    bool good =
        path && !file_read(path, "compiled program", LARGEST_FILE_BYTES, &data, &size, NULL) && size > HEADER_BYTES;
    if (good) {
        uint8_t expected[HEADER_BYTES];
        make_header(expected, key, data + HEADER_BYTES, size - HEADER_BYTES);
        good = memcmp(data, expected, HEADER_BYTES) == 0;
    }
    if (good) {
        *bytes = size - HEADER_BYTES;
        memmove(data, data + HEADER_BYTES, *bytes);
        *content = data;
    } else {
        free(data);
    }
    free(path);
    return good;
}

bool program_cache_write(const char *folder, const struct program_cache_key *key, const unsigned char *content,
                         size_t bytes) {
    struct file_replacement replacement = {0};
    uint8_t header[HEADER_BYTES];
    char *path = path_of(folder, key);
    bool written = path && bytes > 0 && bytes <= LARGEST_FILE_BYTES - HEADER_BYTES &&
                   !file_make_folders(folder, NULL) && !file_replacement_begin(&replacement, path, NULL);
    if (written) {
        make_header(header, key, content, bytes);
        written = fwrite(header, 1, sizeof header, replacement.stream) == sizeof header &&
                  fwrite(content, 1, bytes, replacement.stream) == bytes &&
                  !file_replacement_commit(&replacement, NULL);
    }
    file_replacement_abort(&replacement);
    free(path);
    return written;
}

void program_cache_remove(const char *folder, const struct program_cache_key *key) {
    char *path = path_of(folder, key);
    if (path) {
        remove(path);
    }
    free(path);
}
