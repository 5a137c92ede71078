/* codebook.c: codes to weights and back. See codebook.h. */
#include "weights/codebook.h"
#include "support/error.h"
#include <stdlib.h>
#include <string.h>

nst_status codebook_read(const struct tensor_list *list, const struct tensor *codes, const struct tensor *codebook,
                         float **values, nst_error *error) {
    char shape[80];
    if (codes->type != TENSOR_U8) {
        return fail(error, NST_ERROR_FORMAT, "%s: the codes %s have the type %s, expected U8", list->path, codes->name,
                    tensor_type_info(codes->type)->name);
    }
    if (codebook->dimensions != 1 || codebook->count == 0 || codebook->count > CODEBOOK_MAX) {
        return fail(error, NST_ERROR_FORMAT, "%s: the codebook %s has the shape %s, expected 1 to %d values",
                    list->path, codebook->name, tensor_shape_text(codebook, shape, sizeof shape), CODEBOOK_MAX);
    }
    float *table = NULL;
    nst_status status = tensor_read(list, codebook, &table, error);
    if (!status) {
        status = tensor_read(list, codes, values, error);
    }
    for (uint64_t i = 0; !status && i < codes->count; i++) {
        int code = (int)(*values)[i];
        if ((uint64_t)code >= codebook->count) {
            status = fail(error, NST_ERROR_FORMAT, "%s: %s holds the code %d, its codebook only %llu values",
                          list->path, codes->name, code, (unsigned long long)codebook->count);
            free(*values);
            *values = NULL;
        } else {
            (*values)[i] = table[code];
        }
    }
    free(table);
    return status;
}

/* ---- Packed ---------------------------------------------------------------------------------------------------- */

int codebook_bits(int size) {
    int bits = 1;
    while (1 << bits < size) {
        bits++;
    }
    return bits;
}

uint64_t codebook_packed_bytes(uint64_t count, int bits) {
    return (count * (uint64_t)bits + 7) / 8;
}

nst_status codebook_check_packed(const struct tensor_list *list, const struct tensor *packed,
                                 const struct tensor *codebook, uint64_t count, int *bits, nst_error *error) {
    char shape[80];
    uint64_t size = codebook->dimensions == 1 ? codebook->count : 0;
    if (size < 2 || size > CODEBOOK_MAX / 2 || (size & (size - 1)) != 0) {
        return fail(error, NST_ERROR_FORMAT,
                    "%s: the codebook %s of packed codes has the shape %s, expected 2, 4, 8, ... or %d values",
                    list->path, codebook->name, tensor_shape_text(codebook, shape, sizeof shape), CODEBOOK_MAX / 2);
    }
    *bits = codebook_bits((int)size);
    if (packed->type != TENSOR_U8) {
        return fail(error, NST_ERROR_FORMAT, "%s: the packed codes %s have the type %s, expected U8", list->path,
                    packed->name, tensor_type_info(packed->type)->name);
    }
    uint64_t bytes = codebook_packed_bytes(count, *bits);
    if (packed->dimensions != 1 || packed->count != bytes) {
        return fail(error, NST_ERROR_FORMAT,
                    "%s: the packed codes %s have the shape %s, expected %llu bytes: %llu codes of %d bits", list->path,
                    packed->name, tensor_shape_text(packed, shape, sizeof shape), (unsigned long long)bytes,
                    (unsigned long long)count, *bits);
    }
    return NST_OK;
}

/* The `index`-th group of `bits` bits; beyond the last byte lie zeros. `bytes` holds whole numbers. */
static int unpack(const float *bytes, uint64_t byte_count, uint64_t index, int bits) {
    uint64_t bit = index * (uint64_t)bits, byte = bit / 8;
    int pair = (int)bytes[byte] | (byte + 1 < byte_count ? (int)bytes[byte + 1] << 8 : 0);
    return pair >> bit % 8 & ((1 << bits) - 1);
}

nst_status codebook_read_packed(const struct tensor_list *list, const struct tensor *packed,
                                const struct tensor *codebook, uint64_t count, float **values, nst_error *error) {
    float *table = NULL, *bytes = NULL;
    int bits = 0;
    *values = NULL;
    nst_status status = codebook_check_packed(list, packed, codebook, count, &bits, error);
    if (!status) {
        status = tensor_read(list, codebook, &table, error);
    }
    if (!status) {
        status = tensor_read(list, packed, &bytes, error);
    }
    int used_bits = (int)((count * (uint64_t)bits) % 8); /* of the last byte; 0: all */
    if (!status && used_bits != 0 && (int)bytes[packed->count - 1] >> used_bits != 0) {
        status = fail(error, NST_ERROR_FORMAT, "%s is damaged: the bits behind the last code of %s are not zero",
                      list->path, packed->name);
    }
    if (!status && (*values = malloc((size_t)count * sizeof **values)) == NULL) {
        status = fail_memory(error, (size_t)count * sizeof **values, packed->name);
    }
    for (uint64_t i = 0; !status && i < count; i++) {
        (*values)[i] = table[unpack(bytes, packed->count, i, bits)];
    }
    free(bytes);
    free(table);
    return status;
}

void codebook_pack(const unsigned char *codes, size_t count, int bits, unsigned char *packed) {
    memset(packed, 0, (size_t)codebook_packed_bytes(count, bits));
    for (size_t i = 0; i < count; i++) {
        size_t bit = i * (size_t)bits;
        int pair = codes[i] << bit % 8;
        packed[bit / 8] |= (unsigned char)pair;
        if (pair > 255) {
            packed[bit / 8 + 1] |= (unsigned char)(pair >> 8);
        }
    }
}

/* ---- Making one ------------------------------------------------------------------------------------------------ */

#define BUCKETS 1024 /* a power of two, four times as many as there may be values */

struct bucket {
    uint32_t bits;
    bool used;
    unsigned char code;
};

/* The bucket of a value: the one that holds it, or the free one where it belongs. */
static struct bucket *find_bucket(struct bucket *buckets, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t place = bits * 2654435769u >> 22;
    while (buckets[place].used && buckets[place].bits != bits) {
        place = (place + 1) % BUCKETS;
    }
    buckets[place].bits = bits;
    return &buckets[place];
}

static int compare_floats(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    if (x != y) {
        return x < y ? -1 : 1;
    }
    return memcmp(a, b, sizeof x); /* 0 and -0 */
}

int codebook_make(const float *values, size_t count, unsigned char *codes, float codebook[CODEBOOK_MAX]) {
    struct bucket buckets[BUCKETS] = {{0}};
    int size = 0;
    for (size_t i = 0; i < count; i++) {
        struct bucket *bucket = find_bucket(buckets, values[i]);
        if (bucket->used) {
            continue;
        }
        if (size == CODEBOOK_MAX) {
            return 0;
        }
        bucket->used = true;
        codebook[size++] = values[i];
    }
    qsort(codebook, (size_t)size, sizeof *codebook, compare_floats);
    for (int i = 0; i < size; i++) {
        find_bucket(buckets, codebook[i])->code = (unsigned char)i;
    }
    for (size_t i = 0; i < count; i++) {
        codes[i] = find_bucket(buckets, values[i])->code;
    }
    return size;
}
