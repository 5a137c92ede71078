/* codebook.c: 8-bit codes to weights and back. See codebook.h. */
#include "weights/codebook.h"
#include "support/error.h"
#include <stdlib.h>
#include <string.h>

nst_status codebook_read(const struct tensor_list *list, const struct tensor *codes, const struct tensor *codebook,
                         float **values, nst_error *error) {
    char shape[80];
    if (codes->type != TENSOR_U8)
        return fail(error, NST_ERROR_FORMAT, "%s: the codes %s have the type %s, expected U8", list->path, codes->name,
                    tensor_type_info(codes->type)->name);
    if (codebook->dimensions != 1 || codebook->count == 0 || codebook->count > CODEBOOK_MAX)
        return fail(error, NST_ERROR_FORMAT, "%s: the codebook %s has the shape %s, expected 1 to %d values",
                    list->path, codebook->name, tensor_shape_text(codebook, shape, sizeof shape), CODEBOOK_MAX);
    float *table = NULL;
    nst_status status = tensor_read(list, codebook, &table, error);
    if (status == NST_OK)
        status = tensor_read(list, codes, values, error);
    for (uint64_t i = 0; status == NST_OK && i < codes->count; i++) {
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
    while (buckets[place].used && buckets[place].bits != bits)
        place = (place + 1) % BUCKETS;
    buckets[place].bits = bits;
    return &buckets[place];
}

static int compare_floats(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    if (x != y)
        return x < y ? -1 : 1;
    return memcmp(a, b, sizeof x); /* 0 and -0 */
}

int codebook_make(const float *values, size_t count, unsigned char *codes, float codebook[CODEBOOK_MAX]) {
    struct bucket buckets[BUCKETS] = {{0}};
    int size = 0;
    for (size_t i = 0; i < count; i++) {
        struct bucket *bucket = find_bucket(buckets, values[i]);
        if (bucket->used)
            continue;
        if (size == CODEBOOK_MAX)
            return 0;
        bucket->used = true;
        codebook[size++] = values[i];
    }
    qsort(codebook, (size_t)size, sizeof *codebook, compare_floats);
    for (int i = 0; i < size; i++)
        find_bucket(buckets, codebook[i])->code = (unsigned char)i;
    for (size_t i = 0; i < count; i++)
        codes[i] = find_bucket(buckets, values[i])->code;
    return size;
}
