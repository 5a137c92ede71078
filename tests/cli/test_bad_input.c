/* One table of what can be wrong with the input. Each row is run with the program itself: the exit status, one line of
 * error with the words that a person needs, no output file, and one that exists untouched. */
#include "fixtures.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lcms2.h>
#include <zlib.h>

/* The usual command, with one thing replaced by a row. */
#define PICTURES "content.png style.png "
#define NETWORK  "--network ./small.safetensors --size 64 --scales 1 --iterations 2 "
#define OUT      "-o out.png "

static const struct row {
    const char *line;
    int status;
    const char *words[3];
    struct surroundings surroundings;
    const char *needs; /* an .icd file without devices: the row is left out where there is none */
    bool lists;        /* a list follows the line of error */
} rows[] = {
    /* Pictures */
    {"missing.png style.png " NETWORK OUT, 1, .words = {"missing.png", "o such file"}},
    {"content.png missing.png " NETWORK OUT, 1, .words = {"missing.png", "o such file"}},
    {"empty.png style.png " NETWORK OUT, 1, .words = {"empty.png", "empty"}},
    {"content.png truncated.png " NETWORK OUT, 1, .words = {"truncated.png"}},
    {"content.png truncated.jpg " NETWORK OUT, 1, .words = {"truncated.jpg"}},
    {"text.png style.png " NETWORK OUT, 1, .words = {"text.png", "PNG", "JPEG"}},
    {"folder style.png " NETWORK OUT, 1, .words = {"folder"}},
    {"huge.png style.png " NETWORK OUT, 1, .words = {"huge.png", "60000"}},
    {"content.png style.png --size 16 --network ./small.safetensors --style-scale 0.05 " OUT, 1, .words = {"small"}},
    {PICTURES NETWORK OUT "--init missing.png", 1, .words = {"missing.png"}},
    {PICTURES NETWORK OUT "--mask missing.png", 1, .words = {"missing.png"}},
    {PICTURES NETWORK OUT "--style-mask missing.png", 1, .words = {"missing.png"}},
    {PICTURES NETWORK OUT "--style-mask content.png --style-mask content.png", 2, .words = {"--style-mask", "found 2"}},
    {PICTURES NETWORK OUT "--mask tall.png", 2, .words = {"mask", "proportions"}},

    /* Output */
    {PICTURES NETWORK "-o no-such-folder/out.png", 1, .words = {"no-such-folder"}},
    {PICTURES NETWORK "-o text.png/out.png", 1, .words = {"text.png"}},
    {PICTURES NETWORK "-o no-such-folder/", 1, .words = {"no-such-folder/content-nst.png"}},
    {PICTURES NETWORK "-o -", 2, .words = {"-o -", "--format"}},
    {PICTURES NETWORK "-o - --format gif", 2, .words = {"'gif'", "png"}},
    {PICTURES NETWORK "-o - --format png --save-every 5", 2, .words = {"--save-every", "standard output"}},
    {PICTURES NETWORK OUT "--depth 32", 2, .words = {"PNG", "32 bits", "16"}},
    {PICTURES NETWORK OUT "--webp-quality 0", 2, .words = {"--webp-quality", "1 to 100"}},
    {"- - " NETWORK OUT, 2, .words = {"standard input", "found 2"}},
    {"- style.png " NETWORK OUT "--checkpoint c.nst", 2, .words = {"--checkpoint", "standard input"}},
    {"content.png broken.tif " NETWORK OUT, 1, .words = {"broken.tif"}},
    {"content.png broken.webp " NETWORK OUT, 1, .words = {"broken.webp"}},
    {"broken.avif style.png " NETWORK OUT, 1, .words = {"broken.avif"}},
    {PICTURES NETWORK "-o out.gif", 2, .words = {"out.gif", ".png"}},
    {PICTURES NETWORK "-o out", 2, .words = {"out", ".png"}},
    {"scanner.png style.png " NETWORK OUT "--keep-profile", 2, .words = {"--keep-profile", "color profile"}},
    {PICTURES NETWORK OUT "--log no-such-folder/log.jsonl", 1, .words = {"no-such-folder/log.jsonl"}},

    /* Weights */
    {PICTURES OUT "--network vgg91", 1, .words = {"vgg91", "vgg19"}},
    {PICTURES OUT "--network ./missing.safetensors", 1, .words = {"missing.safetensors"}},
    {PICTURES OUT "--network ./truncated.safetensors", 1, .words = {"truncated.safetensors"}},
    {PICTURES OUT "--network ./header.safetensors", 1, .words = {"header.safetensors"}},
    {PICTURES OUT "--network ./empty.safetensors", 1, .words = {"empty.safetensors"}},
    {PICTURES OUT "--network ./nan.safetensors", 1, .words = {"nan.safetensors", "conv2_1"}},
    {PICTURES OUT "--network ./shape.safetensors", 1, .words = {"shape.safetensors", "conv2_1"}},
    {PICTURES OUT "--network ./lacking.safetensors", 1, .words = {"lacking.safetensors", "conv2_1"}},
    {PICTURES OUT "--network ./silent.safetensors", 1, .words = {"silent.safetensors", "--input-convention"}},
    {PICTURES OUT "--network ./calls.pth", 1, .words = {"calls.pth"}},
    {PICTURES OUT "--network ./content.png", 1, .words = {"content.png"}},

    /* Names */
    {PICTURES NETWORK OUT "--style-layers relu9_1", 1, .words = {"relu9_1"}},
    {PICTURES NETWORK OUT "--content-layers relu4_3x", 1, .words = {"relu4_3x", "relu4_3"}},
    {PICTURES NETWORK OUT "-d no-such-device", 1, .words = {"no-such-device"}, .lists = true},
    {PICTURES NETWORK OUT "-d 0:0,0:0", 2, .words = {"--device", "0:0"}},
    {PICTURES NETWORK OUT "-d 0:0#1/2,0:0", 2, .words = {"--device", "0:0#1/2"}},
    {PICTURES NETWORK OUT "-d 0:0,", 2, .words = {"--device", "between the commas"}},
    {PICTURES NETWORK OUT "-d 0:0,no-such-device", 1, .words = {"no-such-device"}, .lists = true},
    {PICTURES NETWORK OUT "-d 0:0#5/3", 1, .words = {"0:0#5/3"}, .lists = true},
    {PICTURES NETWORK OUT "--deal 1,2", 2, .words = {"dealing", "several devices"}},
    {PICTURES NETWORK OUT "-d 99:0", 1, .words = {"99:0"}, .lists = true},
    {PICTURES NETWORK OUT, 1, .words = {"no-such-device"}, .lists = true,
     .surroundings = {.variable = "NST_DEVICE", .value = "no-such-device"}},
    {PICTURES NETWORK OUT "--preset nueral-style", 2, .words = {"nueral-style", "neural-style"}},
    {"devcies", 2, .words = {"devcies", "did you mean devices"}},
    {"help weihgts", 2, .words = {"weihgts", "did you mean weights"}},
    {"help preset", 2, .words = {"'preset'", "did you mean presets"}},
    {"weights ifno vgg19", 2, .words = {"ifno", "did you mean info"}},
    {"weights", 2, .words = {"list", "info", "convert"}},
    {"weights info", 2, .words = {"info"}},
    {"weights info missing.pth", 1, .words = {"missing.pth"}},
    {"weights convert small.safetensors", 2, .words = {"convert"}},
    {"weights convert missing.pth out.safetensors", 1, .words = {"missing.pth"}},
    {"weights convert nan.safetensors out.safetensors", 1, .words = {"nan.safetensors"}},
    {"weights convert small.safetensors text.png/out.safetensors", 1, .words = {"text.png"}},
    {"devices --jsno", 2, .words = {"--jsno", "did you mean --json"}},
    {"devices all", 2, .words = {"all"}},

    /* Time */
    {PICTURES NETWORK OUT "--time 60s", 2, .words = {"--time and --iterations"}},
    {PICTURES OUT "--time 0.5s", 2, .words = {"'0.5s'", "from 1"}},
    {PICTURES OUT "--time 1m", 2, .words = {"'1m'", "1.5min"}},
    {PICTURES OUT "--time -3", 2, .words = {"'-3'"}},

    /* Progress */
    {PICTURES NETWORK OUT "--progress xml", 2, .words = {"'xml'", "json:FD"}},
    {PICTURES NETWORK OUT "--progress json:", 2, .words = {"'json:'"}},
    {PICTURES NETWORK OUT "--progress json:2x", 2, .words = {"'json:2x'"}},
    {PICTURES NETWORK OUT "--progress json:77", 2, .words = {"descriptor 77", "not open for writing"}},
    {"resume missing.checkpoint --progress", 2, .words = {"--progress", "found nothing"}},

    /* Checkpoints */
    {PICTURES NETWORK OUT "--checkpoint no-such-folder/c", 1, .words = {"no-such-folder/c"}},
    {PICTURES NETWORK OUT "--checkpoint folder", 1, .words = {"folder", "not a file"}},
    {PICTURES NETWORK OUT "--checkpoint out.png", 2, .words = {"--output and --checkpoint"}},
    {PICTURES NETWORK OUT "--checkpoint c --log c", 2, .words = {"--log and --checkpoint"}},
    {PICTURES NETWORK OUT "--checkpoint-every 5min", 2, .words = {"--checkpoint-every", "--checkpoint FILE"}},
    {PICTURES NETWORK OUT "--checkpoint c --checkpoint-every soon", 2, .words = {"'soon'", "90s, 1.5min or 2h"}},
    {PICTURES NETWORK OUT "--checkpoint c --checkpoint-every 0s", 2, .words = {"'0s'", "0.001"}},
    {"resume", 2, .words = {"one checkpoint", "none"}},
    {"resume a b", 2, .words = {"one checkpoint", "several"}},
    {"resume missing.checkpoint", 1, .words = {"missing.checkpoint", "o such file"}},
    {"resume content.png", 1, .words = {"content.png is not a checkpoint"}},
    {"resume folder", 1, .words = {"folder"}},
    {"resume empty.png", 1, .words = {"empty.png is not a checkpoint"}},
    {"resume content.png --size 64", 2, .words = {"unknown option '--size'"}},
    {"resume content.png -q -v", 2, .words = {"--quiet and --verbose"}},

/* Batches: what is wrong with one picture only is in test_batch.c */
#define BATCH "batch content.png --style style.png " NETWORK
    {"batch --style style.png -o out/", 2, .words = {"contents or folders", "nst help batch"}},
    {"batch content.png -o out/", 2, .words = {"--style"}},
    {"batch - --style style.png -o out/", 2, .words = {"standard input"}},
    {BATCH, 2, .words = {"-o FOLDER/"}},
    {BATCH "-o -", 2, .words = {"-o -", "standard output"}},
    {BATCH "-o new", 2, .words = {"-o new", "ends with /", "{name}"}},
    {BATCH "-o {nmae}.png", 2, .words = {"{nmae}", "did you mean {name}", "{folder}"}},
    {BATCH "-o {name.png", 2, .words = {"{name.png", "{preset}"}},
    {BATCH "-o {preset}.png", 2, .words = {"{name} or {file}"}},
    {BATCH "-o new/{name}.gif -q", 2, .words = {"content.gif", ".png"}},
    {BATCH "-o new/ --format gif -q", 2, .words = {"'gif'", "png"}},
    {BATCH "-o new/ --depth 32 -q", 2, .words = {"PNG", "32 bits"}},
    {BATCH "-o new/ --log log.jsonl", 2, .words = {"--log", "nst stylize"}},
    {BATCH "-o new/ --checkpoint c", 2, .words = {"--checkpoint", "nst stylize"}},
    {BATCH "-o new/ --plan", 2, .words = {"--plan", "nst stylize"}},
    {BATCH "-o new/ --style-blend 1,2", 2, .words = {"--style-blend", "found 2"}},
    {BATCH "-o new/ --style missing.png", 1, .words = {"missing.png"}},
    {BATCH "-o text.png/ -q", 1, .words = {"text.png", "in the way"}},
    {BATCH "-o new/ -d no-such-device", 1, .words = {"no-such-device"}, .lists = true},
    {BATCH "-o new/ content.png", 2, .words = {"content.png and content.png", "new/content-nst.png"}},
    {BATCH "-o ./{file}", 2, .words = {"content.png would be written over"}},
    {"batch folder --style style.png " NETWORK "-o new/", 1, .words = {"none in folder", "-r"}},

/* Films: what is wrong with a frame or with ffmpeg is in test_film.c */
#define FILM "film frames/%d.png style.png " NETWORK
    {"film", 2, .words = {"film or numbered frames", "none", "nst help film"}},
    {"film frames/%d.png -o new/%d.png", 2, .words = {"style picture", "only one"}},
    {FILM, 2, .words = {"-o FILM"}},
    {"film - style.png -o new/%d.png", 2, .words = {"standard input"}},
    {FILM "-o -", 2, .words = {"standard input or output"}},
    {FILM "-o folder", 2, .words = {"folder"}},
    {FILM "-o frames/%d.png", 2, .words = {"another name"}},
    {FILM "-o new/%d.gif", 2, .words = {".gif", ".png"}},
    {FILM "-o new/%x.png", 2, .words = {"-o", "%04d", "'new/%x.png'"}},
    {FILM "-o new/%d/%d.png", 2, .words = {"-o", "%04d"}},
    {"film frames/%0d.png style.png -o new/%d.png", 2, .words = {"film:", "%04d"}},
    {FILM "-o new/%d.png --flow flow.flo", 2, .words = {"--flow", "%04d"}},
    {FILM "-o new/%d.png --flow %d --flow %d --flow %d", 2, .words = {"--flow"}},
    {FILM "-o new/%d.png --frame-rate 25", 2, .words = {"--frame-rate", "become a film"}},
    {FILM "-o new.mp4 --frame-rate 25/0", 2, .words = {"--frame-rate", "'25/0'"}},
    {FILM "-o new.mp4 --format png", 2, .words = {"--format"}},
    {FILM "-o new/%d.png --time 9s", 2, .words = {"--time", "film does not have it"}},
    {FILM "-o new/%d.png --checkpoint c", 2, .words = {"--checkpoint", "film does not have it"}},
    {FILM "-o new/%d.png --next-iterations 1,2", 2, .words = {"--next-iterations", "one number"}},
    {FILM "-o new/%d.png --temporal-weight -1", 2, .words = {"--temporal-weight", "'-1'"}},
    {FILM "-o new/%d.png", 1, .words = {"frames/", "o such file"}},
    {"film folder/%d.png style.png " NETWORK "-o new/%d.png", 1, .words = {"folder/%d.png", "found none"}},
    {"film missing.mp4 style.png " NETWORK "-o new/%d.png", 1, .words = {"missing.mp4", "o such file"}},

/* Judging */
#define JUDGE "judge content.png --content content.png --network ./small.safetensors "
    {JUDGE, 2, .words = {"judge", "--style"}},
    {"judge --content content.png --style style.png", 2, .words = {"judge", "one picture"}},
    {"judge content.png style.png --content content.png --style style.png", 2, .words = {"judge", "one picture"}},
    {JUDGE "--style missing.png", 1, .words = {"missing.png"}},
    {JUDGE "--style style.png --style-scale 0.05", 1, .words = {"style", "small"}},
    {JUDGE "--style style.png --network ./shape.safetensors", 1, .words = {"shape.safetensors"}},

    /* Devices */
    {PICTURES NETWORK OUT, 1, .words = {"no OpenCL device", "install"}, .lists = true,
     .surroundings = {.variable = "OCL_ICD_VENDORS", .value = "folder/"}},
    {PICTURES NETWORK OUT, 1, .words = {"no OpenCL device", "platform"}, .lists = true,
     .surroundings = {.variable = "OCL_ICD_VENDORS", .value = "clover/"}, .needs = "/etc/OpenCL/vendors/mesa.icd"},
    {PICTURES OUT "--network ./small.safetensors --size 2048 --memory 3MiB", 1,
     .words = {"even in tiles of", "memory", "--memory"}},
    {PICTURES NETWORK OUT "--memory 2GB", 2, .words = {"--memory", "1.5GiB", "'2GB'"}},
    {PICTURES NETWORK OUT "--memory 0", 2, .words = {"--memory", "auto", "'0'"}},
    {PICTURES NETWORK OUT "--memory much", 2, .words = {"--memory", "'much'"}},

    /* Values */
    {PICTURES NETWORK OUT "--size abc", 2, .words = {"--size: expected a whole number from 16 to 32767, found 'abc'"}},
    {PICTURES NETWORK OUT "--size 0", 2, .words = {"--size", "'0'"}},
    {PICTURES NETWORK OUT "--style-weight -3", 2, .words = {"--style-weight", "'-3'"}},
    {PICTURES NETWORK OUT "--tv-weight nan", 2, .words = {"--tv-weight", "'nan'"}},
    {PICTURES NETWORK OUT "--iterations 10,x", 2, .words = {"--iterations", "'10,x'"}},
    {PICTURES NETWORK OUT "--style-blend 1,2,3", 2, .words = {"--style-blend", "3"}},
    {PICTURES NETWORK OUT "--style-blend 0", 2, .words = {"blend"}},
    {PICTURES NETWORK OUT "--colors gray", 2, .words = {"--colors", "luminance", "'gray'"}},
    {PICTURES NETWORK OUT "--colors match --original-colors", 2, .words = {"--colors", "--original-colors", "both"}},
    {PICTURES NETWORK OUT "--strength 1.1", 2, .words = {"--strength", "'1.1'"}},
    {PICTURES NETWORK OUT "--strength 0.3 --content-weight 1", 2, .words = {"--strength", "--content-weight", "both"}},
    {PICTURES NETWORK OUT "--sise 100", 2, .words = {"--sise", "did you mean --size"}},
    {PICTURES NETWORK OUT "--size", 2, .words = {"--size", "found nothing"}},
    {PICTURES NETWORK, 2, .words = {"-o"}},
    {"content.png " NETWORK OUT, 2, .words = {"style picture"}},
    {NETWORK OUT, 2, .words = {"content", "style picture"}},
    {"", 2, .words = {"content", "nst help"}},
};

/* A torch.save file of the older form whose pickle calls os.system. */
static void write_calling_pickle(const char *path) {
    static const char pickle[] = "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." /* magic number */
                                 "\x80\x02M\xe9\x03."                                     /* protocol 1001 */
                                 "\x80\x02}q\x00."                                        /* system: {} */
                                 "\x80\x02"
                                 "cos\nsystem\nX\x0d\x00\x00\x00touch pwned!!\x85R.";
    fixture_write_file(path, pickle, sizeof pickle - 1);
}

/* A profile that leads from RGB to Lab, but has no way back, as those of scanners. */
static void make_scanner_profile(unsigned char *profile, cmsUInt32Number *bytes) {
    cmsHPROFILE handle = cmsCreateProfilePlaceholder(NULL);
    cmsPipeline *pipeline = cmsPipelineAlloc(NULL, 3, 3);
    cmsSetProfileVersion(handle, 4.3);
    cmsSetDeviceClass(handle, cmsSigInputClass);
    cmsSetColorSpace(handle, cmsSigRgbData);
    cmsSetPCS(handle, cmsSigLabData);
    assert_true(cmsPipelineInsertStage(pipeline, cmsAT_END, cmsStageAllocToneCurves(NULL, 3, NULL)));
    assert_true(cmsWriteTag(handle, cmsSigAToB0Tag, pipeline));
    cmsPipelineFree(pipeline);
    assert_true(cmsSaveProfileToMem(handle, profile, bytes));
    cmsCloseProfile(handle);
}

/* content.png with such a profile. */
static void write_scanner_picture(const char *path) {
    const size_t header_bytes = 33;                            /* signature and IHDR */
    unsigned char profile[2000], chunk[2000] = "____iCCPname"; /* length, type, name, method; checksum at the end */
    cmsUInt32Number profile_bytes = sizeof profile;
    uLongf bytes = sizeof chunk - 18;
    make_scanner_profile(profile, &profile_bytes);
    assert_int_equal(compress(chunk + 14, &bytes, profile, profile_bytes), Z_OK);
    const uint32_t numbers[] = {(uint32_t)bytes + 6, (uint32_t)crc32(0, chunk + 4, (uInt)bytes + 10)};
    for (int i = 0; i < 4; i++) {
        chunk[i] = (unsigned char)(numbers[0] >> (24 - 8 * i));
        chunk[14 + bytes + (size_t)i] = (unsigned char)(numbers[1] >> (24 - 8 * i));
    }
    size_t picture_bytes;
    char *picture = fixture_read_file("content.png", &picture_bytes);
    assert_non_null(picture);
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    fwrite(picture, 1, header_bytes, stream);
    fwrite(chunk, 1, bytes + 18, stream);
    fwrite(picture + header_bytes, 1, picture_bytes - header_bytes, stream);
    assert_int_equal(fclose(stream), 0);
    free(picture);
}

static int create(void **state) {
    if (fixtures_create(state) != 0)
        return -1;
    fixture_write_file("empty.png", "", 0);
    fixture_write_file("empty.safetensors", "", 0);
    fixture_write_file("text.png", "this is not a picture\n", 22);
    fixture_copy_start("style.png", "truncated.png", 700);
    fixture_write_picture("whole.jpg", 64, 64, 3);
    fixture_copy_start("whole.jpg", "truncated.jpg", 300);
    /* Signature, the header of 60000 x 60000 pixels, 8-bit RGB, and no data; each chunk with its checksum. */
    static const unsigned char huge[] =
        "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0\x0f\xb0\xe2\x15"
        "\0\0\0\0IDAT\x35\xaf\x06\x1e\0\0\0\0IEND\xae\x42\x60\x82";
    fixture_write_file("huge.png", huge, sizeof huge - 1);
    write_scanner_picture("scanner.png");
    fixture_write_file("broken.tif", "II*\0\x08\0\0\0\1\0", 10);
    fixture_write_file("broken.webp", "RIFF\x10\0\0\0WEBPVP8 ", 16);
    fixture_write_file("broken.avif",
                       "\0\0\0\x18"
                       "ftypavif\0\0\0\0avifmif1",
                       24);
    mkdir("folder", 0777);
    mkdir("folder.png", 0777);
    mkdir("clover", 0777); /* a platform without devices; some loaders take folders only */
    fixture_write_file("clover/mesa.icd", "libMesaOpenCL.so.1\n", 19);
    fixture_copy_start("small.safetensors", "truncated.safetensors", 9000);
    fixture_write_file("header.safetensors", "\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10);
    fixture_write_network("nan.safetensors", NETWORK_NAN);
    fixture_write_network("shape.safetensors", NETWORK_WRONG_SHAPE);
    fixture_write_network("lacking.safetensors", NETWORK_LACKS_LAYER);
    fixture_write_network("silent.safetensors", NETWORK_SILENT);
    write_calling_pickle("calls.pth");
    return 0;
}

static int count_files(void) {
    int count = 0;
    FILE *list = popen("ls -A", "r");
    for (int c; list && (c = fgetc(list)) != EOF;)
        count += c == '\n';
    if (list)
        pclose(list);
    return count;
}

/* One row; returns false and says why if it did not go as it should. */
static bool row_is_right(const struct row *row) {
    const struct outcome *outcome = program_run(row->line, &row->surroundings);
    const char *end = strchr(outcome->err, '\n');
    const char *wrong = NULL;
    if (outcome->status != row->status)
        wrong = "the exit status";
    else if (strncmp(outcome->err, "nst: error: ", 12) != 0 || !end)
        wrong = "no line of error";
    else if (!row->lists && end[1])
        wrong = "more than one line";
    for (int i = 0; i < 3 && !wrong && row->words[i]; i++)
        if (!strstr(outcome->err, row->words[i]))
            wrong = row->words[i];
    if (!wrong && *outcome->out)
        wrong = "something on standard output";
    if (wrong)
        print_error("nst %s\n    wrong or missing: %s\n    exit status %d, expected %d, standard error:\n%s", row->line,
                    wrong, outcome->status, row->status, outcome->err);
    return !wrong;
}

static void run_rows(void) {
    int wrong = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool missing = rows[i].needs && access(rows[i].needs, R_OK) != 0;
        if (rows[i].needs && !missing) /* and it must offer no device here */
            missing = program_run("devices", &rows[i].surroundings)->status == 0;
        if (missing)
            print_message("left out for want of %s: nst %s\n", rows[i].needs, rows[i].line);
        else
            wrong += !row_is_right(&rows[i]);
    }
    assert_int_equal(wrong, 0);
}

static void test_no_output(void **state) {
    (void)state;
    program_run("--version", NULL); /* so that the files it prints to are there */
    int before = count_files();
    run_rows();
    assert_int_not_equal(access("out.png", F_OK), 0);
    assert_int_not_equal(access("out.safetensors", F_OK), 0);
    assert_int_not_equal(access("pwned!!", F_OK), 0);
    assert_int_equal(count_files(), before); /* nothing temporary is left either */
}

static void test_old_output_untouched(void **state) {
    (void)state;
    static const char old[] = "the old picture";
    fixture_write_file("out.png", old, sizeof old);
    fixture_write_file("out.safetensors", old, sizeof old);
    run_rows();
    static const char *const paths[] = {"out.png", "out.safetensors"};
    for (int i = 0; i < 2; i++) {
        char *now = fixture_read_file(paths[i], NULL);
        assert_non_null(now);
        assert_string_equal(now, old);
        free(now);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_output), cmocka_unit_test(test_old_output_untouched)};
    return cmocka_run_group_tests(tests, create, fixtures_remove);
}
