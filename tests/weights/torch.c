/* Suite weights.torch: the readers of torch.save's two forms, on files written by torch itself, on damaged ones, and on
 * pickles that want more than a dictionary of tensors. */
#include "corpus.h"
#include "files.h"
#include "samples.h"
#include "weights/network.h"
#include "weights/tensors.h"
#include <stdlib.h>
#include <string.h>
#include <zip.h>

/* All samples hold one 1x1 convolution, which this file beside them describes. */
static const char description[] =
    "{\"format\":1,\"input\":\"caffe\",\"layers\":[{\"convolution\":\"conv1_1\",\"kernel\":1},{\"relu\":\"relu1_1\"}]}";

static int set_up(void **state) {
    if (make_temporary_folder(state) != 0)
        return -1;
    write_text("sample.json", description);
    return 0;
}

/* ---- Good files ------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    const unsigned char *data;
    size_t bytes;
} samples[] = {
    {"zip", sample_zip, sizeof sample_zip},
    {"legacy", sample_legacy, sizeof sample_legacy},
    {"half", sample_zip_half, sizeof sample_zip_half},
    {"bfloat16", sample_legacy_bfloat16, sizeof sample_legacy_bfloat16},
    {"double", sample_legacy_double, sizeof sample_legacy_double},
    {"strided", sample_legacy_strided, sizeof sample_legacy_strided},
    {"checkpoint", sample_zip_checkpoint, sizeof sample_zip_checkpoint},
    {"parameter", sample_legacy_parameter, sizeof sample_legacy_parameter},
    {"protocol 4", sample_zip_protocol4, sizeof sample_zip_protocol4},
};

#define SAMPLE_COUNT (sizeof samples / sizeof *samples)

static void test_samples(void **state) {
    (void)state;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        nst_network *network = NULL;
        nst_error error = {NST_OK, ""};
        const char *path = write_bytes("sample.pth", samples[i].data, samples[i].bytes);
        corpus_keep(path);
        if (nst_network_open(path, NULL, &network, &error) != NST_OK)
            fail_msg("%s: %s", samples[i].name, error.message);
        const struct layer *layer = &network->layers[0];
        assert_int_equal(layer->out_channels, 2);
        assert_int_equal(layer->in_channels, 3);
        for (int j = 0; j < 6; j++)
            assert_true(layer->weights[j] == (float)j / 8 - 0.5f);
        assert_true(layer->bias[0] == 0.25f && layer->bias[1] == -2);
        nst_network_destroy(network);
    }
}

/* ---- Damaged files --------------------------------------------------------------------------------------------- */

static void test_truncated(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (size_t length = 0; length < samples[i].bytes; length++)
            assert_open_fails(write_bytes("sample.pth", samples[i].data, length), NULL, NST_OK, "sample.pth");
}

/* A flipped bit is refused or does no harm; the sanitizers watch. Values themselves carry no checksum in the older
 * form. */
static void test_flipped(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        unsigned char *data = malloc(samples[i].bytes);
        size_t refused = 0;
        assert_non_null(data);
        for (size_t byte = 0; byte < samples[i].bytes; byte++) {
            nst_network *network = NULL;
            nst_error error = {NST_OK, ""};
            memcpy(data, samples[i].data, samples[i].bytes);
            data[byte] ^= (unsigned char)(1 << byte * 5 % 8);
            nst_status status =
                nst_network_open(write_bytes("sample.pth", data, samples[i].bytes), NULL, &network, &error);
            assert_true((status == NST_OK) == (error.message[0] == 0));
            refused += status != NST_OK;
            nst_network_destroy(network);
        }
        assert_true(refused > 100);
        free(data);
    }
}

static void test_flipped_value_in_zip(void **state) {
    unsigned char data[sizeof sample_zip];
    static const unsigned char bias[8] = {0, 0, 0x80, 0x3e, 0, 0, 0, 0xc0};
    size_t place = 0;
    (void)state;
    memcpy(data, sample_zip, sizeof data);
    while (memcmp(data + place, bias, sizeof bias) != 0)
        place++;
    data[place + 2] ^= 1;
    assert_open_fails(write_bytes("sample.pth", data, sizeof data), NULL, NST_ERROR_FORMAT, "checksum");
}

/* ---- Hostile pickles ------------------------------------------------------------------------------------------- */

#define TEXT(length, text) "X" length "\0\0\0" text
#define LEGACY_HEAD                                                                                                    \
    "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}" TEXT(                       \
        "\x0d", "little_endian") "\x88s."
#define KEYS "\x80\x02]" TEXT("\x01", "0") "a."
/* The storage "0" of six floats, and the start of a tensor cut from it. */
#define STORAGE      STORAGE_ID "Q"
#define STORAGE_ID   "(" TEXT("\x07", "storage") "ctorch\nFloatStorage\n" TEXT("\x01", "0") TEXT("\x03", "cpu") "K\x06t"
#define TENSOR(rest) "ctorch._utils\n_rebuild_tensor_v2\n(" STORAGE rest "\x89}tR"
#define NAME         TEXT("\x0e", "conv1_1.weight")
#define DATA         "\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

struct hostile {
    const char *pickle;
    size_t bytes;
    const char *part;
};
#define CASE(pickle, part)                                                                                             \
    { pickle, sizeof(pickle) - 1, part }

static const struct hostile hostile[] = {
    CASE("cos\nsystem\n(" TEXT("\x05", "false") "tR.", "wants to call os.system"),
    CASE("cbuiltins\neval\n.", "wants to call builtins.eval"),
    CASE(TEXT("\x05", "posix") TEXT("\x06", "system") "\x93.", "wants to call posix.system"),
    CASE("ctorch\nload\n.", "wants to call torch.load"),
    CASE("ctorch._utils\n_rebuild_tensor_v3\n.", "wants to call torch._utils._rebuild_tensor_v3"),
    CASE("ccollections\nOrderedDict\x0a)\x81.", "instruction 0x81"), /* NEWOBJ */
    CASE("(ios\nsystem\n.", "instruction 0x69"),                     /* INST */
    CASE("(o.", "instruction 0x6f at byte 1,"),                      /* OBJ */
    CASE("\x82\x01.", "instruction 0x82"),                           /* EXT1 */
    CASE("Pid\n.", "instruction 0x50"),                              /* PERSID in the old form */
    CASE("c\x1b[2J\nx\n.", "wants to call ?[2J.x"),                  /* a message must not move the cursor */
    CASE("cos", "breaks off"),
    CASE("cos\nsys", "breaks off"),
    CASE("", "breaks off"),
    CASE(".", "damaged"),
    CASE("(.", "damaged"),
    CASE("NN.", "damaged"),
    CASE("N.", "something else than a dictionary"),
    CASE("K", "breaks off"),
    CASE("X\xff\xff\xff\x7f", "breaks off"),
    CASE("X\xff\xff\xff\xff", "breaks off"),
    CASE("\x8a\xff", "breaks off"),
    CASE("t.", "damaged"),
    CASE("e.", "damaged"),
    CASE("u.", "damaged"),
    CASE("s.", "damaged"),
    CASE("}NNNu.", "damaged"),
    CASE("}(Nu.", "damaged"), /* a key without a value */
    CASE("}NNa.", "damaged"),
    CASE("](NNu.", "damaged"),
    CASE("](}(Nee.", "damaged"),
    CASE("\x85.", "damaged"),
    CASE("(\x85.", "damaged"),
    CASE("N\x87.", "damaged"),
    CASE("0.", "damaged"),
    CASE("1.", "damaged"),
    CASE("2.", "damaged"),
    CASE("q\0.", "damaged"),
    CASE("Nr\xff\xff\xff\xff.", "damaged"),
    CASE("h\0.", "damaged"),
    CASE("j\xff\xff\xff\xff.", "damaged"),
    CASE("R.", "damaged"),
    CASE("N)R.", "damaged"),
    CASE("ccollections\nOrderedDict\nNR.", "damaged"),
    CASE("ccollections\nOrderedDict\n(K\x01tR.", "a dictionary in a way"),
    CASE("ccollections\nOrderedDict\n(](K\x01"
         "etR.",
         "a dictionary in a way"),
    CASE("Q.", "damaged"),
    CASE("NQ.", "a storage in a way"),
    CASE("(NNNNNtQ.", "a storage in a way"),
    CASE("N}b.", "damaged"),
    CASE("]q\0h\0a.", "something else than a dictionary"), /* a list in itself */
    CASE("}" NAME TENSOR("K\0(K\x02K\x03K\x01K\x01t(K\x03K\x01K\x01K\x01t") "s" NAME TENSOR(
             "K\0(K\x02K\x03K\x01K\x01t(K\x03K\x01K\x01K\x01t") "s.",
         "two tensors are named conv1_1.weight"),
    CASE("}" NAME TENSOR("K\x01(K\x02K\x03t(K\x03K\x01t") "s.",
         "reaches beyond its storage: it ends at element 7 of 6"),
    CASE("}" NAME TENSOR("K\0(K\x06K\x06t(K\0K\x01t") "s.", "impossibly large"), /* strides of 0 */
    CASE("}" NAME TENSOR("K\0(J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7ft(K\x01K\x01K\x01t") "s.", "large"),
    CASE("}" NAME TENSOR("K\0(\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7ft(K\x01t") "s.", "large"),
    CASE("}" NAME TENSOR("K\0(K\x02t(\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7ft") "s.", "large"),
    CASE("}" NAME TENSOR("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f(K\x02t(K\x01t") "s.", "reaches beyond"),
    CASE("}" NAME TENSOR("K\0(J\xff\xff\xff\xfft(K\x01t") "s.", "shape"), /* -1 */
    CASE("}" NAME TENSOR("K\0(K\x01t(K\x01K\x01t") "s.", "shape"),
    CASE("}" NAME TENSOR("K\0(K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01t)") "s.", "a tensor in a way"),
    CASE("}" NAME TENSOR("NNN") "s.", "a tensor in a way"),
    CASE("}" NAME TENSOR("K\0(K\x01t(K\x01t") "s" TEXT("\x0c", "conv1_1.bias") TENSOR("K\0(K\x01t)") "s.", "shape"),
    CASE("}" TEXT("\x03", "a\0b") TENSOR("K\0(K\x06t(K\x01t") "s.", "tensor name"),
    CASE("}" NAME TENSOR("K\0(K\x03K\x02K\x01K\x01t(K\x02K\x01K\x01K\x01t") "s.",
         "3 x 2 x 1 x 1, expected channels x 3"),
    CASE("}" NAME TENSOR("K\0(K\x02K\x03K\x01K\x01t(K\x03K\x01K\x01K\x01t") "s.", "no tensor conv1_1.bias"),
};

/* The head, the pickle of the dictionary, the keys, and a storage of six zeros, as one file. */
static const char *write_legacy(const char *pickle, size_t bytes) {
    size_t total = sizeof LEGACY_HEAD - 1 + bytes + sizeof KEYS - 1 + sizeof DATA - 1, used = 0;
    unsigned char *file = malloc(total);
    assert_non_null(file);
    const struct {
        const char *data;
        size_t bytes;
    } parts[] = {
        {LEGACY_HEAD, sizeof LEGACY_HEAD - 1}, {pickle, bytes}, {KEYS, sizeof KEYS - 1}, {DATA, sizeof DATA - 1}};
    for (size_t i = 0; i < 4; i++) {
        memcpy(file + used, parts[i].data, parts[i].bytes);
        used += parts[i].bytes;
    }
    const char *path = write_bytes("sample.pth", file, total);
    free(file);
    return path;
}

/* Python 2 wrote an ordered dictionary as a list of pairs, texts as bytes, and tensors by the first version's function.
 */
static void test_python2(void **state) {
    static const char pickle[] =
        "ccollections\nOrderedDict\n(](](U\x0e"
        "conv1_1.weight"
        "ctorch._utils\n_rebuild_tensor\n(" STORAGE "K\0(K\x02K\x03K\x01K\x01t(\x8a\x01\x03K\x01K\x01K\x01ttRe](U\x0c"
        "conv1_1.bias"
        "ctorch._utils\n_rebuild_tensor\n(" STORAGE "K\x04(K\x02t(K\x01ttReetR.";
    nst_network *network = NULL;
    nst_error error = {NST_OK, ""};
    (void)state;
    if (nst_network_open(write_legacy(pickle, sizeof pickle - 1), NULL, &network, &error) != NST_OK)
        fail_msg("%s", error.message);
    assert_int_equal(network->layers[0].out_channels, 2);
    nst_network_destroy(network);
}

static void test_hostile(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        /* Cases that break off must be at the end of the file. */
        if (strcmp(hostile[i].part, "breaks off") == 0) {
            unsigned char file[256] = LEGACY_HEAD;
            memcpy(file + sizeof LEGACY_HEAD - 1, hostile[i].pickle, hostile[i].bytes);
            const char *path = write_bytes("sample.pth", file, sizeof LEGACY_HEAD - 1 + hostile[i].bytes);
            assert_open_fails(path, NULL, NST_ERROR_FORMAT, hostile[i].part);
        } else {
            assert_open_fails(write_legacy(hostile[i].pickle, hostile[i].bytes), NULL, NST_OK, hostile[i].part);
        }
    }
    assert_open_fails(write_bytes("sample.pth", sample_zip_hostile, sizeof sample_zip_hostile), NULL, NST_ERROR_FORMAT,
                      "wants to call ");
}

/* Megabytes of one instruction: nothing recurses, and memory stays in proportion. */
static void test_floods(void **state) {
    static const struct {
        const char *unit, *part;
    } floods[] = {
        {"(", "stack grows too large"},
        {"]", "stack grows too large"},
        {"}", "stack grows too large"},
        {"N0", "breaks off"},
        {"N\x85"
         "0",
         "breaks off"},
        {"](NNNNNNNNe0", "breaks off"},
    };
    enum { BYTES = 3 << 20 };
    unsigned char *file = malloc(BYTES);
    (void)state;
    assert_non_null(file);
    for (size_t i = 0; i < sizeof floods / sizeof *floods; i++) {
        size_t used = sizeof LEGACY_HEAD - 1, length = strlen(floods[i].unit);
        memcpy(file, LEGACY_HEAD, used);
        for (; used + length <= BYTES; used += length)
            memcpy(file + used, floods[i].unit, length);
        assert_open_fails(write_bytes("sample.pth", file, used), NULL, NST_ERROR_FORMAT, floods[i].part);
    }
    /* Nested ever deeper: (((...))) as tuples in tuples. */
    size_t used = sizeof LEGACY_HEAD - 1;
    file[used++] = 'N';
    memset(file + used, 0x85, BYTES - used);
    file[BYTES - 1] = '.';
    assert_open_fails(write_bytes("sample.pth", file, BYTES), NULL, NST_ERROR_FORMAT, "something else than");
    free(file);
}

/* A file whose pickle is `start`, `list` so many times, `middle`, and `unit` so many times. */
#define PART(text)                                                                                                     \
    { text, sizeof(text) - 1 }
struct repeated {
    struct {
        const char *text;
        size_t bytes;
    } start, list, middle, unit;
    int list_count, unit_count;
    const char *part;
};

static unsigned char *append(unsigned char *end, const char *text, size_t bytes, int count) {
    for (int i = 0; i < count; i++)
        end = (unsigned char *)memcpy(end, text, bytes) + bytes;
    return end;
}

/* A few bytes, repeated, that ask for much: megabytes copied, or thousands of storages compared. */
static void test_amplification(void **state) {
    static const struct repeated cases[] = {
        {PART("ccollections\nOrderedDict\nq\x00" TEXT("\x01", "a") "N\x86q\x01]("), PART("h\x01"), PART("e\x85q\x02"),
         PART("h\x00h\x02R0"), 50000, 10000, "one list as many dictionaries"},
        {PART(""), PART(""), PART(STORAGE_ID "q\x01"), PART("h\x01Q0"), 0, 50000, "mentions its storages more than"},
    };
    enum { BYTES = 1 << 20 };
    unsigned char *file = malloc(BYTES);
    (void)state;
    assert_non_null(file);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char *end = append(file, LEGACY_HEAD, sizeof LEGACY_HEAD - 1, 1);
        end = append(end, cases[i].start.text, cases[i].start.bytes, 1);
        end = append(end, cases[i].list.text, cases[i].list.bytes, cases[i].list_count);
        end = append(end, cases[i].middle.text, cases[i].middle.bytes, 1);
        end = append(end, cases[i].unit.text, cases[i].unit.bytes, cases[i].unit_count);
        assert_open_fails(write_bytes("sample.pth", file, (size_t)(end - file)), NULL, NST_ERROR_FORMAT, cases[i].part);
    }
    free(file);
}

/* ---- Storages behind the pickles ------------------------------------------------------------------------------- */

static void test_legacy_storages(void **state) {
    static const char good[] = "}" NAME TENSOR("K\0(K\x02K\x03K\x01K\x01t(K\x03K\x01K\x01K\x01t") "s.";
    unsigned char file[1024];
    size_t head = sizeof LEGACY_HEAD - 1 + sizeof good - 1 + sizeof KEYS - 1, bytes = head + sizeof DATA - 1;
    (void)state;
    assert_true(bytes + 4 < sizeof file);
    memset(file, 0, sizeof file);
    memcpy(file, LEGACY_HEAD, sizeof LEGACY_HEAD - 1);
    memcpy(file + sizeof LEGACY_HEAD - 1, good, sizeof good - 1);
    memcpy(file + head - (sizeof KEYS - 1), KEYS, sizeof KEYS - 1);
    memcpy(file + head, DATA, sizeof DATA - 1);

    assert_open_fails(write_bytes("sample.pth", file, bytes + 4), NULL, NST_ERROR_FORMAT, "4 bytes behind");
    assert_open_fails(write_bytes("sample.pth", file, bytes - 1), NULL, NST_ERROR_FORMAT, "truncated");
    assert_open_fails(write_bytes("sample.pth", file, head + 4), NULL, NST_ERROR_FORMAT, "truncated");
    file[head] = 5;
    assert_open_fails(write_bytes("sample.pth", file, bytes), NULL, NST_ERROR_FORMAT, "holds 5 values");
    file[head] = 6;
    file[head + 7] = 0x80;
    assert_open_fails(write_bytes("sample.pth", file, bytes), NULL, NST_ERROR_FORMAT, "values, its tensors expect 6");
    file[head + 7] = 0;
    file[head - 3] = '1'; /* the key */
    assert_open_fails(write_bytes("sample.pth", file, bytes), NULL, NST_ERROR_FORMAT, "belongs to no tensor");
    file[head - 3] = '0';
    file[sizeof LEGACY_HEAD - 4] = 0x89; /* little_endian: False */
    assert_open_fails(write_bytes("sample.pth", file, bytes), NULL, NST_ERROR_FORMAT, "big-endian");
}

static void test_other_zip(void **state) {
    /* An empty zip file, and one that is cut: what unzip would call "end of central directory". */
    static const unsigned char empty[] = {'P', 'K', 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    (void)state;
    assert_open_fails(write_bytes("sample.pth", empty, sizeof empty), NULL, NST_ERROR_FORMAT, "as a zip file");
    unsigned char *data = malloc(sizeof sample_zip);
    assert_non_null(data);
    memcpy(data, sample_zip, sizeof sample_zip);
    for (size_t i = 0; i + 8 < sizeof sample_zip; i++)
        if (memcmp(data + i, "data.pkl", 8) == 0)
            data[i] = 'x';
    assert_open_fails(write_bytes("sample.pth", data, sizeof sample_zip), NULL, NST_ERROR_FORMAT, "without data.pkl");
    memcpy(data, sample_zip, sizeof sample_zip);
    for (size_t i = 0; i + 6 < sizeof sample_zip; i++)
        if (memcmp(data + i, "data/0", 6) == 0)
            data[i + 5] = 'x';
    assert_open_fails(write_bytes("sample.pth", data, sizeof sample_zip), NULL, NST_ERROR_FORMAT, "no entry data/0");
    free(data);
}

/* A tensor that begins within its storage, which is compressed, so that what is before it must be read: more than is
 * read at once, and one byte. */
static void test_offset_in_zip(void **state) {
    static const char pickle[] = "\x80\x02}" TEXT("\x01", "t") "ctorch._utils\n_rebuild_tensor_v2\n((" TEXT(
        "\x07", "storage") "ctorch\nByteStorage\n" TEXT("\x01", "0")
        TEXT("\x03", "cpu") "M\x88\x13tQ"
                            "M\x01\x10(K\x05t(K\x01t\x89}tRs.";
    enum { STORAGE_BYTES = 5000, OFFSET_BYTES = 4097 };
    unsigned char storage[STORAGE_BYTES];
    struct tensor_list list;
    nst_error error;
    float *values;
    (void)state;
    for (int i = 0; i < STORAGE_BYTES; i++)
        storage[i] = (unsigned char)(i % 251);
    const char *path = temporary_path("offset.pth");
    zip_t *archive = zip_open(path, ZIP_CREATE, NULL);
    assert_non_null(archive);
    assert_true(zip_file_add(archive, "a/data.pkl", zip_source_buffer(archive, pickle, sizeof pickle - 1, 0), 0) >= 0);
    assert_true(zip_file_add(archive, "a/data/0", zip_source_buffer(archive, storage, sizeof storage, 0), 0) >= 0);
    assert_int_equal(zip_close(archive), 0);
    if (tensor_list_open(path, &list, &error) != NST_OK)
        fail_msg("%s", error.message);
    assert_int_equal(tensor_read(&list, tensor_find(&list, "t"), &values, &error), NST_OK);
    for (int i = 0; i < 5; i++)
        assert_true(values[i] == (float)storage[OFFSET_BYTES + i]);
    free(values);
    tensor_list_close(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),         cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flipped),         cmocka_unit_test(test_flipped_value_in_zip),
        cmocka_unit_test(test_python2),         cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_floods),          cmocka_unit_test(test_amplification),
        cmocka_unit_test(test_legacy_storages), cmocka_unit_test(test_other_zip),
        cmocka_unit_test(test_offset_in_zip),
    };
    return cmocka_run_group_tests_name("weights.torch", tests, set_up, remove_temporary_folder);
}
