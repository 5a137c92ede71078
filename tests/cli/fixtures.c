/* fixtures.c: what the tests of the program need; see fixtures.h. */
#define _GNU_SOURCE /* prlimit, nftw */
#include "fixtures.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/random.h"
#include "weights/description.h"
#include "weights/safetensors.h"

static char folder[] = "cli-XXXXXX";

/* ---- Files ----------------------------------------------------------------------------------------------------- */

int fixtures_create(void **state) {
    (void)state;
    if (!mkdtemp(folder) || chdir(folder) != 0)
        return -1;
    fixture_write_picture("content.png", 48, 36, 1);
    fixture_write_picture("tall.png", 36, 48, 1);
    fixture_write_picture("style.png", 40, 40, 2);
    fixture_write_network("small.safetensors", NETWORK_FINE);
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

int fixtures_remove(void **state) {
    (void)state;
    if (chdir("..") != 0)
        return -1;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void fixture_write_file(const char *path, const void *data, size_t bytes) {
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(data, 1, bytes, stream), bytes);
    assert_int_equal(fclose(stream), 0);
}

char *fixture_read_file(const char *path, size_t *bytes) {
    FILE *stream = fopen(path, "rb");
    if (!stream)
        return NULL;
    const size_t most = 1 << 24;
    char *data = calloc(1, most + 1);
    assert_non_null(data);
    size_t length = fread(data, 1, most, stream);
    fclose(stream);
    if (bytes)
        *bytes = length;
    return data;
}

void fixture_wait_for_file(const char *path) {
    struct stat info;
    for (int i = 0; i < 3000; i++) {
        if (stat(path, &info) == 0 && info.st_size > 0)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    fail_msg("the program wrote nothing into %s within a minute", path);
}

void fixture_copy_start(const char *from, const char *to, size_t bytes) {
    size_t length = 0;
    char *data = fixture_read_file(from, &length);
    assert_non_null(data);
    assert_true(bytes <= length);
    fixture_write_file(to, data, bytes);
    free(data);
}

void fixture_write_picture(const char *path, int width, int height, uint64_t seed) {
    nst_picture picture = {width, height, 3, malloc((size_t)width * (size_t)height * 3 * sizeof(float))};
    assert_non_null(picture.values);
    struct random_generator generator = random_from_seed(seed);
    for (int y = 0, i = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++, i++)
                picture.values[i] = 0.5f + 0.35f * sinf(0.2f * (float)(x + y * c) + (float)seed) +
                                    0.1f * ((float)random_uniform(&generator) - 0.5f);
    nst_picture_format format = {.depth_bits = 8, .jpeg_quality = 90};
    nst_error error;
    if (nst_picture_write(&picture, path, &format, &error) != NST_OK)
        fail_msg("%s", error.message);
    nst_picture_free(&picture);
}

/* ---- Kernels --------------------------------------------------------------------------------------------------- */

void fixture_copy_kernels(const char *folder, const char *file, const char *from, const char *to) {
    assert_int_equal(mkdir(folder, 0777), 0);
    DIR *kernels = opendir(NST_SOURCE_DIR "/cl");
    assert_non_null(kernels);
    int replaced = 0;
    for (struct dirent *entry; (entry = readdir(kernels)) != NULL;) {
        char source[512], target[512];
        if (*entry->d_name == '.')
            continue;
        snprintf(source, sizeof source, "%s/cl/%.200s", NST_SOURCE_DIR, entry->d_name);
        snprintf(target, sizeof target, "%s/%.200s", folder, entry->d_name);
        size_t bytes;
        char *text = fixture_read_file(source, &bytes);
        assert_non_null(text);
        FILE *stream = fopen(target, "wb");
        assert_non_null(stream);
        const char *rest = text;
        for (const char *found; strcmp(entry->d_name, file) == 0 && (found = strstr(rest, from)) != NULL; replaced++) {
            fprintf(stream, "%.*s%s", (int)(found - rest), rest, to);
            rest = found + strlen(from);
        }
        fputs(rest, stream);
        assert_int_equal(fclose(stream), 0);
        free(text);
    }
    closedir(kernels);
    if (replaced == 0)
        fail_msg("%s no longer has '%s': change this test", file, from);
}

/* ---- Network --------------------------------------------------------------------------------------------------- */

enum { BLOCKS = 5, MOST_CONVOLUTIONS = 13, KERNEL = 3 };
static const int convolutions[BLOCKS] = {2, 2, 4, 4, 1}, channels[BLOCKS] = {4, 8, 8, 12, 12};

/* Weights at the scale that keeps the features' variance (He et al. 2015). */
static float *random_weights(size_t count, int in_channels, struct random_generator *generator) {
    float *weights = malloc(count * sizeof *weights);
    assert_non_null(weights);
    for (size_t i = 0; i < count; i++)
        weights[i] = (float)(random_normal(generator) * sqrt(2.0 / (KERNEL * KERNEL * in_channels)));
    return weights;
}

void fixture_write_network(const char *path, enum network_fault fault) {
    struct random_generator generator = random_from_seed(19);
    struct safetensors_item items[MOST_CONVOLUTIONS];
    size_t count = 0;
    json_t *layers = json_array();
    for (int block = 0, in_channels = 3; block < BLOCKS; block++) {
        for (int i = 0; i < convolutions[block]; i++) {
            char name[32], relu[32];
            snprintf(name, sizeof name, "conv%d_%d", block + 1, i + 1);
            snprintf(relu, sizeof relu, "relu%d_%d", block + 1, i + 1);
            json_array_append_new(
                layers, json_pack("{s:s, s:b, s:i}", "convolution", name, "bias", 0, "channels", channels[block]));
            json_array_append_new(layers, json_pack("{s:s}", "relu", relu));
            struct safetensors_item *item = &items[count++];
            *item = (struct safetensors_item){
                .type = TENSOR_F32, .dimensions = 4, .shape = {channels[block], in_channels, KERNEL, KERNEL}};
            if (fault == NETWORK_WRONG_SHAPE && count == 3)
                item->shape[1]++;
            snprintf(item->name, sizeof item->name, "%s.weight", name);
            float *weights = random_weights((size_t)channels[block] * (size_t)(in_channels + 1) * KERNEL * KERNEL,
                                            in_channels, &generator);
            if (fault == NETWORK_NAN && count == 3)
                weights[5] = NAN;
            item->data = weights;
            in_channels = channels[block];
        }
        char pooling[32];
        snprintf(pooling, sizeof pooling, "pool%d", block + 1);
        json_array_append_new(layers, json_pack("{s:s}", "pooling", pooling));
    }
    json_t *description = json_pack("{s:i, s:s, s:s, s:o}", "format", DESCRIPTION_FORMAT, "name", "small", "input",
                                    "caffe", "layers", layers);
    if (fault == NETWORK_SILENT)
        json_object_del(description, "input");
    char *text = json_dumps(description, JSON_COMPACT);
    json_t *metadata = json_pack("{s:s}", DESCRIPTION_KEY, text);
    if (fault == NETWORK_LACKS_LAYER) { /* the third convolution's tensor goes by another name */
        snprintf(items[2].name, sizeof items[2].name, "something else");
    }
    nst_error error;
    if (safetensors_write(path, items, count, metadata, &error) != NST_OK)
        fail_msg("%s", error.message);
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)items[i].data);
    free(text);
    json_decref(metadata);
    json_decref(description);
}

/* ---- The program ----------------------------------------------------------------------------------------------- */

static void redirect(int stream, const char *path) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (file < 0 || dup2(file, stream) < 0)
        _exit(99);
    close(file);
}

pid_t program_start(const char *line, const struct surroundings *surroundings) {
    static char text[4096];
    char *argv[128] = {NST_PROGRAM};
    int argc = 1;
    assert_true(strlen(line) < sizeof text);
    strcpy(text, line);
    for (char *word = strtok(text, " "); word && argc < 127; word = strtok(NULL, " "))
        argv[argc++] = word;
    fflush(NULL);
    pid_t process = fork();
    assert_true(process >= 0);
    if (process > 0)
        return process;
    if (surroundings && surroundings->variable)
        setenv(surroundings->variable, surroundings->value, 1);
    redirect(STDOUT_FILENO, "program.out");
    redirect(STDERR_FILENO, surroundings && surroundings->terminal ? surroundings->terminal : "program.err");
    signal(SIGXFSZ, SIG_IGN); /* see program_fill_disk */
    alarm(300);               /* a program that hangs fails the test */
    execv(NST_PROGRAM, argv);
    _exit(99);
}

void program_fill_disk(pid_t process, size_t length_bytes) {
    /* With SIGXFSZ ignored, write() fails behind this limit. */
    struct rlimit limit = {length_bytes, length_bytes};
    assert_int_equal(prlimit(process, RLIMIT_FSIZE, &limit, NULL), 0);
}

static void read_text(const char *path, char *buffer, size_t size) {
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    buffer[fread(buffer, 1, size - 1, stream)] = '\0';
    fclose(stream);
}

/* Mesa's drivers (22.3) and CLBlast (1.5) write to standard error too, and no setting turns it off. */
static void remove_lines_of_others(char *text) {
    while (*text) {
        char *end = strchr(text, '\n'), *next = end ? end + 1 : text + strlen(text);
        if (strncmp(text, "MESA: ", 6) == 0 || strncmp(text, "CLBlast: ", 9) == 0)
            memmove(text, next, strlen(next) + 1);
        else
            text = next;
    }
}

const struct outcome *program_finish(pid_t process) {
    static struct outcome outcome;
    int status = 0;
    assert_int_equal(waitpid(process, &status, 0), process);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    read_text("program.out", outcome.out, sizeof outcome.out);
    read_text("program.err", outcome.err, sizeof outcome.err);
    remove_lines_of_others(outcome.err);
    return &outcome;
}

const struct outcome *program_run(const char *line, const struct surroundings *surroundings) {
    return program_finish(program_start(line, surroundings));
}

void assert_one_error_line(const char *line, const char *err) {
    const char *end = strchr(err, '\n');
    if (strncmp(err, "nst: error: ", 12) != 0 || !end || end[1] || end - err < 20)
        fail_msg("'%s' did not print one line of error but: %s", line, err);
}
