/* fixtures.h: picture files that the tests of this folder make for themselves, of kinds that nst itself never writes.
 */
#ifndef TESTS_IMAGE_FIXTURES_H
#define TESTS_IMAGE_FIXTURES_H

#include "nst.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* A temporary folder in the working directory, removed with all it holds. For cmocka_run_group_tests. */
int fixture_folder_create(void **state);
int fixture_folder_remove(void **state);

/* The path of a file of that name in the folder; one buffer, overwritten by each call. */
const char *fixture_path(const char *name);

/* The number of files in the folder. */
int fixture_count_files(void);
void fixture_remove(const char *name);

/* Whole files, from malloc. */
void fixture_write(const char *name, const void *data, size_t bytes);
unsigned char *fixture_read(const char *name, size_t *bytes);

/* A PNG file whose sample number i (rows from the top, channels interleaved) is fixture_png_sample(i, depth). */
struct fixture_png {
    int width, height, color_type, depth_bits;
    bool interlaced, transparent; /* transparent: a tRNS chunk (palette, gray, RGB) */
    int orientation;              /* in an eXIf chunk, if not 0 */
};
void fixture_write_png(const char *name, const struct fixture_png *png);
unsigned fixture_png_sample(size_t i, int depth_bits);
/* Entry i of the palettes used: red, green, blue, alpha. */
void fixture_png_palette(int i, unsigned char entry[4]);

/* Puts a chunk behind the header of a PNG file, or a marker behind the first one of a JPEG file. */
void fixture_insert_chunk(const char *name, const char type[4], const void *data, size_t bytes);
void fixture_insert_marker(const char *name, int marker, const void *data, size_t bytes);

/* The first bytes of a PNG file whose header promises that size. */
void fixture_write_png_header(const char *name, uint32_t width, uint32_t height);

/* A JPEG file of quality 100, without chroma subsampling, from 8-bit samples, `components` a pixel. */
struct fixture_jpeg {
    int width, height, components;
    int color_space, file_color_space; /* J_COLOR_SPACE of the samples and in the file */
    bool progressive;
    const unsigned char *samples;
    int orientation; /* in an APP1 marker, if not 0 */
    bool big_endian; /* the EXIF data */
};
void fixture_write_jpeg(const char *name, const struct fixture_jpeg *jpeg);

/* EXIF data (from its TIFF header on) that holds an orientation. Returns its length. */
size_t fixture_exif(int orientation, bool big_endian, unsigned char data[64]);

/* Reads the file, which must succeed, without a note. */
nst_picture fixture_read_picture(const char *name);

/* Reads the file, which must fail with this status and a message of one line that holds each part ("" for none). */
void fixture_expect_failure(const char *name, nst_status status, const char *part, const char *other_part);

/* Reads the file, which must succeed, with a note of one line that holds `part`. */
nst_picture fixture_read_damaged(const char *name, const char *part);

/* The file cut off at every 64th byte and at each of its last 16 is refused, but for a cut through the last `end_bytes`,
 * the end's own mark: then the picture is read as it is, with a note. With any of its bytes changed it is read or
 * refused, and nothing worse. */
void fixture_expect_truncations_refused(const char *name, size_t end_bytes);
void fixture_try_flipped_bytes(const char *name);

/* A smooth picture with some color in it, of values k / max. */
nst_picture fixture_picture(int width, int height, int channels, int max);

#endif
