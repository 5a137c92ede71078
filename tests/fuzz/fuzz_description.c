/* fuzz_description.c: the JSON description of a network, as it lies in the metadata or in a file next to the weights.
 */
#include "weights/convention.h"
#include "weights/description.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    struct description description = {.suffixes = &tensor_suffixes_default};
    struct input_convention input;
    nst_error error;
    if (description_parse("file", (const char *)data, bytes, &description, &error) == NST_OK)
        convention_from_text(description.input, &input);
    description_free(&description);
    return 0;
}
