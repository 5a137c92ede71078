/* film_pipe.c: films through ffmpeg; see film_pipe.h. Frames go through the pipe as PPM: a line of text with their size,
 * then the bytes of their pixels. */
#include "cli/film_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/frame_names.h"
#include "support/error.h"
#include "support/file.h"

extern char **environ;

/* ---- Processes --------------------------------------------------------------------------------------------------- */

/* Which end of the pipe the child has. */
enum child_end { CHILD_READS, CHILD_WRITES };

/* In a group of its own, since Ctrl-C is for this program; a pipe that is closed ends it. */
static int spawn(char *const *command, const int ends[2], enum child_end child_end, pid_t *process) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[child_end],
                                     child_end == CHILD_READS ? STDIN_FILENO : STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    posix_spawnattr_init(&attributes);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    int code = posix_spawnp(process, command[0], &actions, &attributes, command, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return code;
}

static nst_status start(char *const *command, enum child_end child_end, struct film_pipe *film, nst_error *error) {
    int ends[2]; /* the first is read */
    pid_t process;
    *film = (struct film_pipe){0};
    if (pipe(ends) != 0) {
        return fail(error, NST_ERROR_FILE, "cannot make a pipe to %s: %s", command[0], strerror(errno));
    }
    int own_end = ends[1 - child_end];
    fcntl(own_end, F_SETFD, FD_CLOEXEC);
    int code = spawn(command, ends, child_end, &process);
    close(ends[child_end]);
    if (code == 0) {
        film->process = process;
        film->stream = fdopen(own_end, child_end == CHILD_READS ? "wb" : "rb");
    }
    if (!film->stream) {
        close(own_end);
    }
    if (code == ENOENT) {
        return fail(error, NST_ERROR_FILE,
                    "%s is not installed, which reads and writes films: install it (Debian, Ubuntu: apt install "
                    "ffmpeg), or give numbered frames, such as frames/%%04d.png",
                    command[0]);
    }
    return film->stream ? NST_OK
                        : fail(error, NST_ERROR_FILE, "cannot start %s: %s", command[0], strerror(code ? code : errno));
}

/* Closes the pipe and waits. False if the child failed. */
static bool finish(struct film_pipe *film) {
    int ending = -1;
    if (!film->stream) {
        return true;
    }
    bool closed = fclose(film->stream) == 0;
    film->stream = NULL;
    while (waitpid((pid_t)film->process, &ending, 0) < 0 && errno == EINTR) {
    }
    return closed && WIFEXITED(ending) && WEXITSTATUS(ending) == 0;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

/* A name that begins with a dash is no option. */
static nst_status protect(const char *path, char **name, nst_error *error) {
    size_t size = strlen(path) + 8;
    *name = malloc(size);
    if (!*name) {
        return fail_memory(error, size, "a file name");
    }
    snprintf(*name, size, "file:%s", path);
    return NST_OK;
}

nst_status film_read_facts(const char *path, struct film_facts *facts, nst_error *error) {
    char *name;
    *facts = (struct film_facts){0};
    if (!file_exists(path)) {
        return fail(error, NST_ERROR_FILE, "cannot open film %s: %s", path, strerror(ENOENT));
    }
    nst_status status = protect(path, &name, error);
    if (status) {
        return status;
    }
    char *const command[] = {"ffprobe",
                             "-v",
                             "quiet",
                             "-select_streams",
                             "v:0",
                             "-show_entries",
                             "stream=r_frame_rate,nb_frames",
                             "-of",
                             "default=noprint_wrappers=1",
                             name,
                             NULL};
    struct film_pipe pipe;
    char line[128];
    status = start(command, CHILD_WRITES, &pipe, error);
    while (!status && fgets(line, sizeof line, pipe.stream)) {
        sscanf(line, "r_frame_rate=%31[0-9/]", facts->frame_rate);
        sscanf(line, "nb_frames=%9d", &facts->frame_count);
    }
    free(name);
    if (status) {
        return status;
    }
    bool is_fine = finish(&pipe) && facts->frame_rate[0] && facts->frame_rate[0] != '0';
    return is_fine ? NST_OK : fail(error, NST_ERROR_FORMAT, "%s: not a film that ffmpeg can read", path);
}

nst_status film_read_begin(const char *path, const struct film_facts *facts, struct film_pipe *pipe, nst_error *error) {
    char filter[48], *name;
    nst_status status = protect(path, &name, error);
    snprintf(filter, sizeof filter, "fps=%s", facts->frame_rate);
    char *const command[] = {"ffmpeg", "-v", "error",      "-nostdin", "-i",  name,       "-map",  "0:v:0", "-vf",
                             filter,   "-f", "image2pipe", "-c:v",     "ppm", "-pix_fmt", "rgb24", "-",     NULL};
    status = status ? status : start(command, CHILD_WRITES, pipe, error);
    free(name);
    return status;
}

nst_status film_read_frame(struct film_pipe *pipe, nst_picture *frame, nst_error *error) {
    int width = 0, height = 0, most = 0;
    *frame = (nst_picture){0};
    int found = fscanf(pipe->stream, "P6 %9d %9d %9d", &width, &height, &most);
    if (found == EOF && !ferror(pipe->stream)) {
        return finish(pipe) ? NST_OK : fail(error, NST_ERROR_FILE, "ffmpeg failed before the end of the film");
    }
    if (found != 3 || fgetc(pipe->stream) == EOF || most != 255 || width < 1 || height < 1 || width > NST_MAX_SIZE_PX ||
        height > NST_MAX_SIZE_PX) {
        return fail(error, NST_ERROR_FILE,
                    "expected a frame from ffmpeg of up to %d pixels on each side, found %d x %d", NST_MAX_SIZE_PX,
                    width, height);
    }
    size_t count = 3 * (size_t)width * (size_t)height;
    unsigned char *bytes = malloc(count);
    *frame = (nst_picture){width, height, 3, malloc(count * sizeof(float))};
    nst_status status =
        bytes && frame->values ? NST_OK : fail_memory(error, count * (1 + sizeof(float)), "a frame of the film");
    if (!status && fread(bytes, 1, count, pipe->stream) != count) {
        status = fail(error, NST_ERROR_FILE, "ffmpeg ended within a frame of the film");
    }
    for (size_t i = 0; !status && i < count; i++) {
        frame->values[i] = (float)bytes[i] / 255;
    }
    free(bytes);
    if (status) {
        nst_picture_free(frame);
    }
    return status;
}

void film_read_end(struct film_pipe *pipe) {
    finish(pipe);
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

/* `bytes`: red, green and blue of each pixel. */
static nst_status send_bytes(const struct film_pipe *pipe, int width, int height, const unsigned char *bytes,
                             nst_error *error) {
    size_t count = 3 * (size_t)width * (size_t)height;
    bool is_sent =
        fprintf(pipe->stream, "P6\n%d %d\n255\n", width, height) > 0 && fwrite(bytes, 1, count, pipe->stream) == count;
    return is_sent ? NST_OK : fail(error, NST_ERROR_FILE, "ffmpeg ended before it had all frames");
}

static nst_status send_frame(const struct film_pipe *pipe, const char *path, nst_error *error) {
    nst_picture picture;
    nst_status status = nst_picture_read(path, &picture, NULL, error);
    if (status) {
        return status;
    }
    size_t pixels = (size_t)picture.width * (size_t)picture.height;
    unsigned char *bytes = malloc(3 * pixels);
    status = bytes ? NST_OK : fail_memory(error, 3 * pixels, "a frame of the film");
    for (size_t i = 0; !status && i < 3 * pixels; i++) {
        float value = picture.values[i / 3 * (size_t)picture.channels + i % 3];
        bytes[i] = (unsigned char)(255 * value + 0.5F);
    }
    status = status ? status : send_bytes(pipe, picture.width, picture.height, bytes, error);
    free(bytes);
    nst_picture_free(&picture);
    return status;
}

/* Most encoders take even sides only: an odd row or column is left out. */
static nst_status start_encoder(const struct film_frames *frames, const char *path, struct film_pipe *pipe,
                                nst_error *error) {
    char *sound = NULL, *name = NULL;
    nst_status status = frames->sound ? protect(frames->sound, &sound, error) : NST_OK;
    status = status ? status : protect(path, &name, error);
    /* Where there are no frames yet, it is only tried: what is wrong is told by the caller. */
    char *command[32] = {
        "ffmpeg", "-v",         frames->pattern ? "error" : "quiet", "-nostdin", "-y", "-f", "image2pipe", "-c:v",
        "ppm",    "-framerate", (char *)frames->frame_rate,          "-i",       "-"};
    int count = 13;
    char *const with_sound[] = {"-i", sound, "-map", "0:v", "-map", "1:a?"};
    char *const rest[] = {"-vf", "crop=trunc(iw/2)*2:trunc(ih/2)*2", "-pix_fmt", "yuv420p", name};
    for (size_t i = 0; sound && i < sizeof with_sound / sizeof *with_sound; i++) {
        command[count++] = with_sound[i];
    }
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
        command[count++] = rest[i];
    }
    status = status ? status : start(command, CHILD_READS, pipe, error);
    free(sound);
    free(name);
    return status;
}

nst_status film_write_check(const char *path, nst_error *error) {
    enum { SIDE_PX = 64 };
    static const unsigned char black[3 * SIDE_PX * SIDE_PX];
    const struct film_frames none = {.frame_rate = "25"};
    struct film_pipe pipe;
    nst_status status = start_encoder(&none, path, &pipe, error);
    if (status) {
        return status;
    }
    status = send_bytes(&pipe, SIDE_PX, SIDE_PX, black, error);
    bool is_fine = finish(&pipe) && !status;
    remove(path);
    return is_fine ? NST_OK
                   : fail(error, NST_ERROR_FILE,
                          "%s: ffmpeg cannot write such a film: expected a name with an ending that it knows, such as "
                          ".mp4, or numbered frames",
                          path);
}

nst_status film_write(const struct film_frames *frames, const char *path, nst_error *error) {
    struct film_pipe pipe = {0};
    nst_status status = start_encoder(frames, path, &pipe, error);
    for (int number = frames->first; !status && number <= frames->last; number++) {
        char *frame;
        status = frame_name(frames->pattern, number, &frame, error);
        status = status ? status : send_frame(&pipe, frame, error);
        free(frame);
    }
    bool is_fine = finish(&pipe);
    return status || is_fine ? status : fail(error, NST_ERROR_FILE, "ffmpeg could not write %s", path);
}
