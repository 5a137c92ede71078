/* print_picture.c: decodes pictures for compare_decoders.py. For each file, to standard output: a line "WIDTH HEIGHT
 * CHANNELS NOTE" and the values as floats of this machine; or a line "0 0 0 ERROR". */
#include "nst.h"

int main(int count, char **paths) {
    for (int i = 1; i < count; i++) {
        nst_picture picture;
        nst_note note;
        nst_error error = {0};
        if (nst_picture_read(paths[i], &picture, &note, &error) != NST_OK) {
            printf("0 0 0 %s\n", error.message);
            continue;
        }
        printf("%d %d %d %s\n", picture.width, picture.height, picture.channels, note.message);
        size_t values = (size_t)picture.width * (size_t)picture.height * (size_t)picture.channels;
        fwrite(picture.values, sizeof *picture.values, values, stdout);
        nst_picture_free(&picture);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
