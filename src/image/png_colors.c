/* png_colors.c: see png_colors.h. The chunks are read here and not through libpng, which of several takes the first, and
 * drops a profile silently where it dislikes it. */
#include "image/png_colors.h"
#include "image/code_points.h"
#include "support/error.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MOST_PROFILE_BYTES ((size_t)32 << 20)

struct chunk {
    const unsigned char *data; /* NULL: there is none */
    size_t bytes;
};

enum { CICP, ICCP, SRGB, GAMA, CHRM, CHUNKS };

static uint32_t read_number(const unsigned char *data) {
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

/* The first of each kind before the picture's data. */
static void find_chunks(const struct picture_source *source, struct chunk chunks[CHUNKS]) {
    static const struct {
        char type[5];
        size_t bytes; /* 0: any */
    } kinds[CHUNKS] = {{"cICP", 4}, {"iCCP", 0}, {"sRGB", 1}, {"gAMA", 4}, {"cHRM", 32}};
    const size_t frame_bytes = 12; /* length, type, checksum */
    size_t at = 8;
    while (at <= source->bytes && source->bytes - at >= frame_bytes) {
        const unsigned char *chunk = source->data + at, *type = chunk + 4, *data = chunk + 8;
        size_t bytes = read_number(chunk);
        if (bytes > source->bytes - at - frame_bytes || memcmp(type, "IDAT", 4) == 0) {
            return;
        }
        for (int i = 0; i < CHUNKS; i++) {
            if (memcmp(type, kinds[i].type, 4) == 0 && !chunks[i].data &&
                (kinds[i].bytes == 0 || kinds[i].bytes == bytes) &&
                crc32(0, type, (uInt)bytes + 4) == read_number(data + bytes)) {
                chunks[i] = (struct chunk){data, bytes};
            }
        }
        at += frame_bytes + bytes;
    }
}

/* Inflates a zlib stream into memory from malloc; NULL if it is damaged or too long. */
static unsigned char *inflate_all(const unsigned char *data, size_t bytes, size_t *inflated_bytes) {
    z_stream stream = {.next_in = (Bytef *)data, .avail_in = (uInt)bytes};
    size_t capacity = 4096;
    unsigned char *result = inflateInit(&stream) == Z_OK ? malloc(capacity) : NULL;
    int state = result ? Z_OK : Z_MEM_ERROR;
    while (state == Z_OK) {
        stream.next_out = result + stream.total_out;
        stream.avail_out = (uInt)(capacity - stream.total_out);
        state = inflate(&stream, Z_NO_FLUSH);
        if (state == Z_OK && stream.avail_out == 0 && capacity < MOST_PROFILE_BYTES) {
            capacity *= 2;
            unsigned char *larger = realloc(result, capacity);
            result = larger ? larger : result;
            state = larger ? Z_OK : Z_MEM_ERROR;
        } else if (state == Z_OK) {
            state = Z_DATA_ERROR; /* cut off, or too long */
        }
    }
    *inflated_bytes = stream.total_out;
    inflateEnd(&stream);
    if (state != Z_STREAM_END) {
        free(result);
        result = NULL;
    }
    return result;
}

/* A name of 1 to 79 letters and a zero, the method of compression, which is 0, and a zlib stream. */
static bool take_profile(const struct chunk *chunk, struct decoded *decoded) {
    const unsigned char *end = memchr(chunk->data, 0, chunk->bytes < 80 ? chunk->bytes : 80);
    size_t header_bytes = end ? (size_t)(end - chunk->data) + 2 : 0;
    if (!end || header_bytes > chunk->bytes || end[1] != 0) {
        return false;
    }
    size_t bytes = 0;
    unsigned char *profile = inflate_all(chunk->data + header_bytes, chunk->bytes - header_bytes, &bytes);
    if (profile) {
        decoded_set_profile(decoded, profile, bytes);
    }
    free(profile);
    return profile != NULL;
}

static void read_point(const unsigned char *data, double point[2]) {
    point[0] = read_number(data) / 100000.0;
    point[1] = read_number(data + 4) / 100000.0;
}

/* A gamma of 1 / 2.2 stands for sRGB's own curve, as the specification has it written beside the sRGB chunk (section
 * 11.3.2.5), and as programs have written it alone for decades. */
static struct transfer_function transfer_of(const struct chunk *gamma) {
    uint32_t value = gamma->data ? read_number(gamma->data) : 45455;
    if (value >= 45000 && value <= 46000) {
        return color_space_srgb.transfer;
    }
    return (struct transfer_function){.gamma = 100000.0 / value, .scale = 1};
}

static nst_status take_gamma_and_primaries(const struct chunk chunks[CHUNKS], struct decoded *decoded,
                                           nst_error *error) {
    struct color_space space = color_space_srgb;
    space.name = "PNG gAMA and cHRM";
    const unsigned char *points = chunks[CHRM].data;
    if (points) {
        read_point(points, space.white);
        read_point(points + 8, space.red);
        read_point(points + 16, space.green);
        read_point(points + 24, space.blue);
    }
    bool is_possible = space.white[1] > 0 && space.red[1] >= 0 && space.green[1] > 0 && space.blue[1] >= 0;
    uint32_t gamma = chunks[GAMA].data ? read_number(chunks[GAMA].data) : 45455;
    if (!is_possible || gamma < 1000 || gamma > 10000000) {
        return NST_OK;
    }
    space.transfer = transfer_of(&chunks[GAMA]);
    nst_status status = color_profile_create(&space, &decoded->metadata.profile, error);
    return status == NST_ERROR_FORMAT ? NST_OK : status;
}

nst_status png_colors_find(const struct picture_source *source, struct decoded *decoded, nst_error *error) {
    struct chunk chunks[CHUNKS] = {{0}};
    find_chunks(source, chunks);
    decoded->colors_are_told = true;
    if (chunks[CICP].data) {
        const struct code_points points = {chunks[CICP].data[0], chunks[CICP].data[1]};
        return code_points_apply(&points, source->path, decoded, source->note, error);
    }
    if (chunks[ICCP].data) {
        if (take_profile(&chunks[ICCP], decoded)) {
            return NST_OK;
        }
        remark(source->note, "%s: its color profile cannot be used, and its colors are taken as sRGB: it is damaged",
               source->path);
        return NST_OK;
    }
    if (chunks[SRGB].data) {
        return NST_OK;
    }
    if (chunks[GAMA].data || chunks[CHRM].data) {
        return take_gamma_and_primaries(chunks, decoded, error);
    }
    decoded->colors_are_told = false;
    return NST_OK;
}
