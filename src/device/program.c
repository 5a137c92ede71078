/* program.c: builds programs and keeps them; see program.h. */
#include "device/program.h"

#include "device/kernel_source.h"
#include "device/program_cache.h"
#include "device/traits.h"
#include "support/error.h"

#include <stdlib.h>
#include <string.h>

struct stored_program {
    char *file, *options;
    cl_program program;
    struct program_cache_key key;
    bool is_new; /* built from source: its binary is worth keeping */
};

struct program_store {
    struct stored_program *programs;
    size_t count, capacity;
    char *cache_folder; /* NULL: no binaries are kept */
};

struct program_store *program_store_create(const nst_device_info *device, bool no_cache) {
    struct program_store *store = calloc(1, sizeof *store);
    bool asked_for = getenv("NST_CACHE_DIR") != NULL;
    if (store && !no_cache && (asked_for || !traits_keeps_programs(device))) {
        store->cache_folder = program_cache_folder();
    }
    return store;
}

/* ---- Building -------------------------------------------------------------------------------------------------- */

/* Cuts the log after a few lines: the first errors tell, the rest follows from them. */
static void shorten_log(char *log) {
    enum { MOST_LINES = 6, MOST_CHARACTERS = 700 };
    char *end = log;
    for (int lines = 0; *end && end - log < MOST_CHARACTERS; ++end) {
        if (*end == '\n' && ++lines == MOST_LINES) {
            break;
        }
    }
    while (end > log && (end[-1] == '\n' || end[-1] == ' ')) {
        --end;
    }
    *end = 0;
}

static nst_status fail_build(nst_context *context, const char *file, cl_program program, cl_int code,
                             nst_error *error) {
    size_t size = 0;
    char *log = NULL;
    if (clGetProgramBuildInfo(program, context->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) == CL_SUCCESS) {
        log = calloc(size + 1, 1);
        if (log &&
            clGetProgramBuildInfo(program, context->device, CL_PROGRAM_BUILD_LOG, size, log, NULL) == CL_SUCCESS) {
            shorten_log(log);
        }
    }
    char failure[OPENCL_FAILURE_LENGTH];
    bool has_log = log && *log;
    fail(error, NST_ERROR_OPENCL, "%s cannot build %s: %s%s%s", context->info.name, file,
         opencl_failure("clBuildProgram", code, failure), has_log ? "; its compiler says:\n" : "", has_log ? log : "");
    free(log);
    return NST_ERROR_OPENCL;
}

static nst_status build_from_source(nst_context *context, const char *file, const char *source, const char *options,
                                    cl_program *program, nst_error *error) {
    cl_int code;
    cl_program created = clCreateProgramWithSource(context->context, 1, &source, NULL, &code);
    if (code != CL_SUCCESS) {
        return fail_opencl(context, error, "clCreateProgramWithSource", code);
    }
    code = clBuildProgram(created, 1, &context->device, options, NULL, NULL);
    if (code != CL_SUCCESS) {
        nst_status status = fail_build(context, file, created, code, error);
        clReleaseProgram(created);
        return status;
    }
    *program = created;
    return NST_OK;
}

/* ---- Binaries -------------------------------------------------------------------------------------------------- */

/* Everything that a binary depends on. */
static struct program_cache_key make_key(const nst_context *context, const char *source, const char *options) {
    char platform_version[256] = "";
    clGetPlatformInfo(context->platform, CL_PLATFORM_VERSION, sizeof platform_version - 1, platform_version, NULL);
    const nst_device_info *device = &context->info;
    const char *const parts[] = {source,         options,      device->platform,       platform_version,
                                 device->vendor, device->name, device->opencl_version, device->driver};
    return program_cache_key(parts, sizeof parts / sizeof *parts);
}

/* True if the driver takes the binary and finds kernels in it. */
static bool build_from_binary(nst_context *context, const unsigned char *binary, size_t bytes, const char *options,
                              cl_program *program) {
    cl_int code, binary_code = CL_SUCCESS;
    cl_program created =
        clCreateProgramWithBinary(context->context, 1, &context->device, &bytes, &binary, &binary_code, &code);
    if (code != CL_SUCCESS) {
        return false;
    }
    size_t kernels = 0;
    if (binary_code == CL_SUCCESS && clBuildProgram(created, 1, &context->device, options, NULL, NULL) == CL_SUCCESS &&
        clGetProgramInfo(created, CL_PROGRAM_NUM_KERNELS, sizeof kernels, &kernels, NULL) == CL_SUCCESS &&
        kernels > 0) {
        *program = created;
        return true;
    }
    clReleaseProgram(created);
    return false;
}

static bool load_binary(nst_context *context, const struct program_cache_key *key, const char *options,
                        cl_program *program) {
    const char *folder = context->programs->cache_folder;
    unsigned char *binary;
    size_t bytes;
    if (!folder || !program_cache_read(folder, key, &binary, &bytes)) {
        return false;
    }
    bool loaded = build_from_binary(context, binary, bytes, options, program);
    free(binary);
    if (!loaded) {
        program_cache_remove(folder, key);
    }
    return loaded;
}

static void save_binary(const char *folder, const struct stored_program *stored) {
    size_t bytes = 0;
    unsigned char *binary = NULL;
    if (clGetProgramInfo(stored->program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) == CL_SUCCESS &&
        bytes > 0 && (binary = malloc(bytes)) != NULL &&
        clGetProgramInfo(stored->program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS) {
        program_cache_write(folder, &stored->key, binary, bytes);
    }
    free(binary);
}

/* ---- Finding --------------------------------------------------------------------------------------------------- */

/* Room for one more program. */
static bool grow(struct program_store *store) {
    if (store->count < store->capacity) {
        return true;
    }
    size_t capacity = store->capacity ? 2 * store->capacity : 32;
    struct stored_program *larger = realloc(store->programs, capacity * sizeof *larger);
    if (!larger) {
        return false;
    }
    store->programs = larger;
    store->capacity = capacity;
    return true;
}

static void release_program(struct stored_program *stored) {
    if (stored->program) {
        clReleaseProgram(stored->program);
    }
    free(stored->file);
    free(stored->options);
}

nst_status program_find(nst_context *context, const char *file, const char *options, cl_program *program,
                        nst_error *error) {
    struct program_store *store = context->programs;
    for (size_t i = 0; i < store->count; ++i) {
        if (strcmp(store->programs[i].file, file) == 0 && strcmp(store->programs[i].options, options) == 0) {
            *program = store->programs[i].program;
            return NST_OK;
        }
    }
    if (!grow(store)) {
        return fail_memory(error, store->capacity * sizeof *store->programs, "the list of programs");
    }
    struct stored_program added = {.file = strdup(file), .options = strdup(options)};
    char *source = NULL;
    nst_status status = added.file && added.options ? NST_OK : fail_memory(error, strlen(options), "a program's name");
    if (!status) {
        status = kernel_source_assemble(getenv("NST_KERNEL_DIR"), file, &source, error);
    }
    if (!status) {
        added.key = make_key(context, source, options);
        if (!load_binary(context, &added.key, options, &added.program)) {
            added.is_new = true;
            status = build_from_source(context, file, source, options, &added.program, error);
        }
    }
    free(source);
    if (status) {
        release_program(&added);
        return status;
    }
    store->programs[store->count++] = added;
    *program = added.program;
    return NST_OK;
}

/* ---- Closing --------------------------------------------------------------------------------------------------- */

void program_store_free(nst_context *context) {
    struct program_store *store = context->programs;
    if (!store) {
        return;
    }
    for (size_t i = 0; i < store->count; ++i) {
        /* Only now, because some drivers compile a kernel when it is first launched: its binary then holds what was
         * used. */
        if (store->programs[i].is_new && store->cache_folder) {
            save_binary(store->cache_folder, &store->programs[i]);
        }
        release_program(&store->programs[i]);
    }
    free(store->programs);
    free(store->cache_folder);
    free(store);
    context->programs = NULL;
}
