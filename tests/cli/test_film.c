/* test_film.c: `nst film`: frames do not flicker, what was interrupted goes on to the same bytes, cuts are found, flows are
 * read from files, films come and go through ffmpeg, and the other options work with it. With NST_TEST_FILM=whole the
 * flicker is measured on 24 frames with the default network and its usual iterations: minutes. */
#include "fixtures.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NETWORK "--network ./small.safetensors --scales 1 -s 48 "
#define FILM    "film frames/%04d.png style.png " NETWORK

/* ---- A pan with something in front ------------------------------------------------------------------------------- */

enum { STEP_X = 3, STEP_Y = 1, SQUARE_STEP = 2, SQUARE_TOP = 10 };

struct pan {
    int width, height, count, square_px;
};
static const struct pan small_pan = {48, 36, 5, 12};

static double waves(double x, double y, int channel) {
    return 0.5 + 0.16 * (sin(0.31 * x + 0.11 * y + channel) + sin(0.47 * x - 0.38 * y) + sin(0.09 * x + 0.55 * y + 2));
}

/* Of the frame of that number, from 0: whether a pixel shows the square, which moves to the left before the rest. */
static bool is_square(const struct pan *pan, int number, int x, int y) {
    int left = pan->width * 2 / 3 - SQUARE_STEP * number;
    return x >= left && x < left + pan->square_px && y >= SQUARE_TOP && y < SQUARE_TOP + pan->square_px;
}

static void write_frame(const struct pan *pan, int number, const char *path) {
    const nst_picture_format format = {.depth_bits = 8};
    nst_error error;
    size_t count = 3 * (size_t)pan->width * (size_t)pan->height;
    nst_picture frame = {pan->width, pan->height, 3, malloc(count * sizeof(float))};
    assert_non_null(frame.values);
    for (size_t i = 0; i < count; i++) {
        int x = (int)(i / 3) % pan->width, y = (int)(i / 3) / pan->width, channel = (int)(i % 3);
        double moved_x = x + STEP_X * number, moved_y = y + STEP_Y * number;
        frame.values[i] =
            (float)(is_square(pan, number, x, y) ? 1 - waves(3 * (x + SQUARE_STEP * number) + 200, 2 * y, channel)
                                                 : waves(moved_x, moved_y, channel));
    }
    assert_int_equal(nst_picture_write(&frame, path, &format, &error), NST_OK);
    nst_picture_free(&frame);
}

static void write_pan(const struct pan *pan, const char *folder) {
    mkdir(folder, 0777);
    for (int number = 0; number < pan->count; number++) {
        char path[64];
        snprintf(path, sizeof path, "%s/%04d.png", folder, number + 1);
        write_frame(pan, number, path);
    }
}

/* From where in the frame before a pixel comes, by how it was made. False if it was not to be seen there. */
static bool comes_from(const struct pan *pan, int number, int x, int y, int *from_x, int *from_y) {
    bool in_square = is_square(pan, number, x, y);
    *from_x = x + (in_square ? SQUARE_STEP : STEP_X);
    *from_y = y + (in_square ? 0 : STEP_Y);
    return *from_x < pan->width && *from_y < pan->height && is_square(pan, number - 1, *from_x, *from_y) == in_square;
}

/* The mean squared difference of consecutive results along the known motion, of 0..255. */
static double flicker(const struct pan *pan, const char *pattern) {
    double sum = 0;
    long count = 0;
    nst_picture before = {0}, now = {0};
    for (int number = 0; number < pan->count; number++) {
        char path[64];
        nst_error error;
        snprintf(path, sizeof path, pattern, number + 1);
        assert_int_equal(nst_picture_read(path, &now, NULL, &error), NST_OK);
        assert_int_equal(now.width, pan->width);
        for (int i = 0; number > 0 && i < pan->width * pan->height; i++) {
            int x = i % pan->width, y = i / pan->width, from_x, from_y;
            for (int c = 0; comes_from(pan, number, x, y, &from_x, &from_y) && c < 3; c++, count++) {
                double difference = now.values[3 * i + c] - before.values[3 * (from_y * pan->width + from_x) + c];
                sum += 255 * difference * 255 * difference;
            }
        }
        nst_picture_free(&before);
        before = now;
    }
    nst_picture_free(&before);
    return sum / (double)count;
}

/* ---- Running ----------------------------------------------------------------------------------------------------- */

static int create(void **state) {
    if (fixtures_create(state) != 0) {
        return -1;
    }
    write_pan(&small_pan, "frames");
    return 0;
}

static void remove_results(void) {
    assert_int_equal(system("rm -rf out independent"), 0);
}

/* Runs a command and fails unless it ends so, with these words on standard output. */
static const struct outcome *run(const char *line, int status, const char *words) {
    const struct outcome *outcome = program_run(line, NULL);
    if (outcome->status != status || !strstr(outcome->out, words)) {
        fail_msg("nst %s\nended with %d, not %d, or does not say '%s':\n%s%s", line, outcome->status, status, words,
                 outcome->out, outcome->err);
    }
    return outcome;
}

static void run_refused(const char *line, int status, const char *words) {
    const struct outcome *outcome = run(line, status, "");
    assert_one_error_line(line, outcome->err);
    if (!strstr(outcome->err, words)) {
        fail_msg("nst %s\ndoes not say '%s':\n%s", line, words, outcome->err);
    }
}

static bool is_same_file(const char *path, const char *other) {
    size_t bytes = 0, other_bytes = 0;
    char *data = fixture_read_file(path, &bytes), *others = fixture_read_file(other, &other_bytes);
    bool same = data && others && bytes == other_bytes && memcmp(data, others, bytes) == 0;
    free(data);
    free(others);
    return same;
}

/* ---- Flicker ----------------------------------------------------------------------------------------------------- */

static void measure_flicker(const struct pan *pan, const char *film, const char *independent) {
    remove_results();
    run(film, 0, "0 there already, 1 new scene");
    run(independent, 0, "0 failed");
    double of_film = flicker(pan, "out/%04d.png"), of_others = flicker(pan, "independent/%04d-nst.png");
    print_message("mean squared difference: %.1f, of frames painted by themselves %.1f\n", of_film, of_others);
    assert_true(of_film < of_others / 3);
    assert_true(flicker(pan, "frames/%04d.png") < 1); /* the measure itself: rounding to 8 bits */
}

static void frames_do_not_flicker(void **state) {
    (void)state;
    const char *kind = getenv("NST_TEST_FILM");
    if (kind && strcmp(kind, "whole") == 0) {
        static const struct pan pan = {96, 64, 24, 20};
        write_pan(&pan, "frames");
        measure_flicker(&pan, "film frames/%04d.png style.png -s 96 -o out/%04d.png",
                        "batch frames --style style.png -s 96 -o independent/");
        assert_int_equal(system("rm -rf frames"), 0);
        write_pan(&small_pan, "frames");
        return;
    }
    measure_flicker(&small_pan, FILM "-i 24 -o out/%04d.png",
                    "batch frames --style style.png " NETWORK "-i 24 -o independent/");
}

/* ---- Going on ---------------------------------------------------------------------------------------------------- */

/* Killed in the middle, and again after some of its frames were removed: the same bytes as without. */
static void check_going_on(const char *line) {
    remove_results();
    run(line, 0, "5 frames painted, 0 there already");
    assert_int_equal(rename("out", "independent"), 0);
    pid_t process = program_start(line, NULL);
    fixture_wait_for_file("out/0002.png");
    kill(process, SIGKILL);
    program_finish(process);
    run(line, 0, "there already");
    for (int number = 1; number <= small_pan.count; number++) {
        char path[32], other[32];
        snprintf(path, sizeof path, "out/%04d.png", number);
        snprintf(other, sizeof other, "independent/%04d.png", number);
        if (!is_same_file(path, other)) {
            fail_msg("%s differs from that of an unbroken run", path);
        }
    }
    assert_int_equal(system("test $(ls out | wc -l) = 5"), 0); /* nothing else stays */
}

static void what_was_stopped_goes_on(void **state) {
    (void)state;
    check_going_on(FILM "-i 6 -o out/%04d.png");
    remove("out/0003.png");
    run(FILM "-i 6 -o out/%04d.png", 0, "1 frames painted, 4 there already");
    assert_true(is_same_file("out/0003.png", "independent/0003.png"));
    check_going_on(FILM "-i 6 --colors content -o out/%04d.png");
}

static void ctrl_c_leaves_whole_frames(void **state) {
    (void)state;
    remove_results();
    pid_t process = program_start(FILM "-i 300 -o out/%04d.png", NULL);
    fixture_wait_for_file("out/0001.png");
    kill(process, SIGINT);
    const struct outcome *outcome = program_finish(process);
    assert_int_equal(outcome->status, 128 + SIGINT);
    assert_non_null(strstr(outcome->out, "interrupted before frame 2"));
    assert_int_equal(access("out/0002.png", F_OK), -1);
}

/* ---- Scenes ------------------------------------------------------------------------------------------------------ */

static void a_cut_begins_anew(void **state) {
    (void)state;
    remove_results();
    mkdir("cut", 0777);
    write_frame(&small_pan, 0, "cut/7.png");
    write_frame(&small_pan, 1, "cut/8.png");
    fixture_write_picture("cut/9.png", small_pan.width, small_pan.height, 3);
    fixture_write_picture("cut/10.png", small_pan.width, small_pan.height, 3);
    const struct outcome *outcome = run("film cut/%d.png style.png " NETWORK "-i 3 -o out/%02d.jpg", 0,
                                        "4 frames painted, 0 there already, 2 new scenes");
    assert_non_null(strstr(outcome->err, "frame 9: a new scene"));
    assert_null(strstr(outcome->err, "frame 10"));
    assert_int_equal(access("out/07.jpg", F_OK), 0);
    assert_int_equal(access("out/10.jpg", F_OK), 0);
}

/* ---- Flows from files -------------------------------------------------------------------------------------------- */

/* Of the frame of that number, from 0: to the one before, or back from there. */
static void write_flow(const struct pan *pan, int number, bool back, const char *path) {
    const int32_t size[] = {pan->width, pan->height};
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    fwrite("PIEH", 1, 4, stream);
    fwrite(size, sizeof size, 1, stream);
    for (int i = 0; i < pan->width * pan->height; i++) {
        bool in_square = is_square(pan, back ? number - 1 : number, i % pan->width, i / pan->width);
        float sign = back ? -1 : 1;
        const float motion[] = {sign * (float)(in_square ? SQUARE_STEP : STEP_X),
                                sign * (float)(in_square ? 0 : STEP_Y)};
        fwrite(motion, sizeof motion, 1, stream);
    }
    assert_int_equal(fclose(stream), 0);
}

static void flows_are_read(void **state) {
    (void)state;
    remove_results();
    mkdir("flow", 0777);
    for (int number = 1; number < small_pan.count; number++) {
        char path[64];
        snprintf(path, sizeof path, "flow/%04d.flo", number + 1);
        write_flow(&small_pan, number, false, path);
        snprintf(path, sizeof path, "flow/back%d.flo", number + 1);
        write_flow(&small_pan, number, true, path);
    }
    run(FILM "-i 9 --flow flow/%04d.flo -o out/%04d.png", 0, "5 frames painted");
    double with_one = flicker(&small_pan, "out/%04d.png");
    remove_results();
    run(FILM "-i 9 --flow flow/%04d.flo --flow flow/back%d.flo -o out/%04d.png", 0, "5 frames painted");
    print_message("flicker with flows from files %.1f, and back %.1f\n", with_one, flicker(&small_pan, "out/%04d.png"));
    remove_results();
    run_refused(FILM "-i 1 -q --flow flow/%d.flo -o out/%04d.png", 1, "flow/2.flo");
    write_flow(&(struct pan){48, 35, 5, 12}, 1, false, "flow/2.flo");
    run_refused(FILM "-i 1 -q --flow flow/%d.flo -o out/%04d.png", 1,
                "flow/2.flo has 48 x 35 pixels, the frames of the film 48 x 36");
    fixture_copy_start("flow/0002.flo", "flow/2.flo", 1000);
    run_refused(FILM "-i 1 -q --flow flow/%d.flo -o out/%04d.png", 1, "found 1000");
}

/* ---- Through ffmpeg ---------------------------------------------------------------------------------------------- */

static void films_go_through_ffmpeg(void **state) {
    (void)state;
    remove_results();
    if (system("ffmpeg -version > /dev/null 2>&1") != 0) {
        skip();
    }
    run(FILM "-i 2 -o pan.mkv --frame-rate 10", 0, "pan.mkv: 5 frames painted");
    assert_int_equal(access("pan.mkv.frames", F_OK), -1);
    assert_int_equal(system("ffprobe -v error -show_streams pan.mkv | grep -q r_frame_rate=10/1"), 0);
    run("film pan.mkv style.png " NETWORK "-i 2 -o out/%d.png", 0, "5 frames painted");
    assert_int_equal(access("out/5.png", F_OK), 0);

    /* stopped, refused with other options, and gone on */
    pid_t process = program_start("film pan.mkv style.png " NETWORK "-i 60 -o again.mp4", NULL);
    fixture_wait_for_file("again.mp4.frames/000002.png");
    kill(process, SIGKILL);
    program_finish(process);
    assert_int_equal(access("again.mp4", F_OK), -1);
    run_refused("film pan.mkv style.png " NETWORK "-i 3 -o again.mp4", 2, "other options");
    run("film pan.mkv style.png " NETWORK "-i 60 -o again.mp4", 0, "there already");
    assert_int_equal(access("again.mp4", F_OK), 0);
    assert_int_equal(access("again.mp4.frames", F_OK), -1);

    run_refused("film style.png style.png " NETWORK "-q -i 1 -o out.nothing", 1, "out.nothing");
    assert_int_equal(access("out.nothing.frames", F_OK), -1);
    fixture_copy_start("pan.mkv", "broken.mkv", 100);
    run_refused("film broken.mkv style.png " NETWORK "-i 1 -o out/%d.png", 1, "not a film");
}

static void without_ffmpeg_a_line_says_so(void **state) {
    (void)state;
    static const struct surroundings empty = {.variable = "PATH", .value = "/nowhere"};
    const char *lines[] = {"film style.png style.png " NETWORK "-i 1 -o out/%d.png", FILM "-i 1 -q -o out.mp4"};
    for (int i = 0; i < 2; i++) {
        const struct outcome *outcome = program_run(lines[i], &empty);
        assert_int_equal(outcome->status, 1);
        assert_one_error_line(lines[i], outcome->err);
        assert_non_null(strstr(outcome->err, "is not installed"));
        assert_non_null(strstr(outcome->err, "numbered frames"));
    }
    assert_int_equal(access("out.mp4.frames", F_OK), -1);
}

/* ---- With other options ------------------------------------------------------------------------------------------ */

static void other_options_work_with_it(void **state) {
    (void)state;
    static const char *const options[] = {
        "--preset neighbors -i 2 --next-iterations 1,2 --colors palette",
        "--preset wasserstein -i 2 --precision half --colors match",
        "--preset neural-style -i 2 --mask frames/0001.png --optimizer adam",
        "-i 2 --style-mask frames/0001.png --optimizer lbfgs --original-colors",
        "-i 2 --colors luminance --init random --next-iterations 0 --depth 16",
    };
    mkdir("two", 0777);
    write_frame(&small_pan, 0, "two/1.png");
    write_frame(&small_pan, 1, "two/2.png");
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        char line[512];
        remove_results();
        snprintf(line, sizeof line, "film two/%%d.png style.png " NETWORK "-o out/%%d.png %s", options[i]);
        run(line, 0, "2 frames painted, 0 there already, 1 new scene");
        assert_int_equal(system("test $(ls out | wc -l) = 2"), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_do_not_flicker),
        cmocka_unit_test(what_was_stopped_goes_on),
        cmocka_unit_test(ctrl_c_leaves_whole_frames),
        cmocka_unit_test(a_cut_begins_anew),
        cmocka_unit_test(flows_are_read),
        cmocka_unit_test(films_go_through_ffmpeg),
        cmocka_unit_test(without_ffmpeg_a_line_says_so),
        cmocka_unit_test(other_options_work_with_it),
    };
    return cmocka_run_group_tests(tests, create, fixtures_remove);
}
