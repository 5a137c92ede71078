/* checksums.c: a mutator for zip and PNG files that repairs their checksums, without which hardly anything gets past
 * the first check. One time in sixteen they stay wrong. */
#include <stdint.h>
#include <string.h>
#include <zlib.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

static uint32_t little_endian(const uint8_t *bytes, int count) {
    uint32_t value = 0;
    while (count-- > 0)
        value = value << 8 | bytes[count];
    return value;
}

static void store(uint8_t *bytes, uint32_t value, int step) {
    for (int i = 0; i < 4; i++)
        bytes[step > 0 ? i : 3 - i] = (uint8_t)(value >> 8 * i);
}

/* Every entry of the central directory whose data is stored as it is: its checksum there. */
static void repair_zip(uint8_t *data, size_t size) {
    for (size_t i = 0; i + 46 <= size; i++) {
        if (memcmp(data + i, "PK\1\2", 4) != 0 || little_endian(data + i + 10, 2) != 0)
            continue;
        size_t bytes = little_endian(data + i + 20, 4), local = little_endian(data + i + 42, 4);
        if (local + 30 > size)
            continue;
        size_t start = local + 30 + little_endian(data + local + 26, 2) + little_endian(data + local + 28, 2);
        if (start > size || bytes > size - start)
            continue;
        store(data + i + 16, (uint32_t)crc32(0, data + start, (uInt)bytes), 1);
    }
}

/* Every chunk: length, type, data, and the checksum of type and data. */
static void repair_png(uint8_t *data, size_t size) {
    for (size_t i = 8; i + 12 <= size;) {
        uint32_t bytes =
            (uint32_t)data[i] << 24 | (uint32_t)data[i + 1] << 16 | (uint32_t)data[i + 2] << 8 | data[i + 3];
        if (bytes > size - i - 12)
            return;
        store(data + i + 8 + bytes, (uint32_t)crc32(0, data + i + 4, bytes + 4), -1);
        i += bytes + 12;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed) {
    size = LLVMFuzzerMutate(data, size, max_size);
    if (seed % 16 == 0)
        return size;
    if (size > 4 && memcmp(data, "PK\3\4", 4) == 0)
        repair_zip(data, size);
    else if (size > 8)
        repair_png(data, size);
    return size;
}
