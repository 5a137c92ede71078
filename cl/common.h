/* common.h: vectors of one channel block, and loops that suit CPUs and GPUs. Included by every kernel.
 *
 * BLOCK (1, 4, 8 or 16) is the number of channels innermost in a feature map: maps are [channels /
 * BLOCK][height][width][BLOCK], channels rounded up to a multiple of BLOCK with zeros, and kernels see them as
 * arrays of floatB, one vector per pixel and block. LOOPS is 1 on devices where few work-items should each loop over
 * a contiguous range (CPUs), else 0. WORK_GROUP is the size of a work-group, a power of two (1 where LOOPS).
 */
#ifndef BLOCK
#define BLOCK 1
#endif
#ifndef LOOPS
#define LOOPS 0
#endif
#ifndef WORK_GROUP
#define WORK_GROUP 1
#endif

/* For kernels that hold many sums in registers. SUB_GROUP is the smallest number of work-items that share a thread's
 * registers on Intel GPUs, 0 elsewhere. */
#if defined(SUB_GROUP) && SUB_GROUP > 0
#define MANY_REGISTERS __attribute__((intel_reqd_sub_group_size(SUB_GROUP)))
#else
#define MANY_REGISTERS
#endif

/* Sums in registers stay there only if what is called on them is inlined: NVIDIA's back end of LLVM does not by
 * itself. */
#define INLINED static __attribute__((always_inline))

/* Work that is worth a call, in kernels for CPUs: PoCL (3.1) makes three functions of each kernel, and compiles all
 * that is inlined in each of them. A vector must be among the parameters: without one LLVM takes half of the 512 bits
 * of Intel's processors. */
#define OUTLINED static __attribute__((noinline))

#if BLOCK == 1
typedef float floatB;
typedef int intB;
typedef ushort ushortB;
#define CONVERT_INT(x)    convert_int(x)
#define CONVERT_USHORT(x) convert_ushort(x)
#define SUM(x)            (x)
#elif BLOCK == 4
typedef float4 floatB;
typedef int4 intB;
typedef ushort4 ushortB;
#define CONVERT_INT(x)    convert_int4(x)
#define CONVERT_USHORT(x) convert_ushort4(x)
#define LANES_BY_FOUR(x)  (x)
#elif BLOCK == 8
typedef float8 floatB;
typedef int8 intB;
typedef ushort8 ushortB;
#define CONVERT_INT(x)    convert_int8(x)
#define CONVERT_USHORT(x) convert_ushort8(x)
#define LANES_BY_FOUR(x)  ((x).lo + (x).hi)
#elif BLOCK == 16
typedef float16 floatB;
typedef int16 intB;
typedef ushort16 ushortB;
#define CONVERT_INT(x)    convert_int16(x)
#define CONVERT_USHORT(x) convert_ushort16(x)
#define LANES_BY_FOUR(x)  (((x).lo + (x).hi).lo + ((x).lo + (x).hi).hi)
#endif
#if BLOCK > 1
#define SUM(x) dot(LANES_BY_FOUR(x), (float4)(1.0f)) /* LANES_BY_FOUR: float4, sums over every fourth lane */
#endif

/* A comparison's result as lanes of all ones or zeros, whatever the vector width: select(no, yes, LANES(x > y)). */
#if BLOCK == 1
#define LANES(comparison) (-(comparison))
#else
#define LANES(comparison) (comparison)
#endif

/* Fetches what lies at an address into the cache, ahead of its use; the address may lie outside the buffer. OpenCL's
 * own prefetch() does nothing on CPUs. PREFETCHES is 1 where the compiler can. */
#if defined(PREFETCHES) && PREFETCHES
#define PREFETCH(address) __builtin_prefetch((const void *)(uintptr_t)(address))
#else
#define PREFETCH(address)
#endif

/* For kernels that are launched in work-groups of WORK_GROUP, as all with FOR_RANGE or REDUCE are: a compiler that
 * knows gives a work-item no more registers than a whole group can have. Else the GPUs of telephones may refuse the
 * launch. */
#if WORK_GROUP > 1
#define IN_GROUPS __attribute__((reqd_work_group_size(WORK_GROUP, 1, 1)))
#else
#define IN_GROUPS
#endif

/* Visits i = 0 .. count - 1 once over all work-items of a one-dimensional launch. Behind the last of more than 2^30, i
 * may pass 2^31: as an unsigned number it is too large still. */
#if LOOPS
#define FOR_RANGE(i, count)                                                                                            \
    for (int i = (int)((long)(count)*get_global_id(0) / get_global_size(0)),                                           \
             i##_end = (int)((long)(count) * (get_global_id(0) + 1) / get_global_size(0));                             \
         i < i##_end; ++i)
#else
#define FOR_RANGE(i, count) for (int i = get_global_id(0); (uint)i < (uint)(count); i += get_global_size(0))
#endif

/* Visits every column x of every line once: on CPUs line by line, so that what depends on the line only is computed
 * once. */
#if LOOPS
#define FOR_LINES(line, lines, x, width)                                                                               \
    FOR_RANGE(line, lines)                                                                                             \
    for (int x = 0; x < (width); ++x)
#else
#define FOR_LINES(line, lines, x, width)                                                                               \
    FOR_RANGE(line##_##x, (lines) * (width))                                                                           \
    for (int line = line##_##x / (width), x = line##_##x % (width), visits = 0; visits < 1; ++visits)
#endif

/* sum += term, for long sums: what the rounding loses is carried along in `lost`, which starts at zero (Kahan 1965). */
#define ADD_TERM(type, sum, lost, term)                                                                                \
    do {                                                                                                               \
        type corrected_term = (term) - (lost), longer_sum = (sum) + corrected_term;                                    \
        (lost) = (longer_sum - (sum)) - corrected_term;                                                                \
        (sum) = longer_sum;                                                                                            \
    } while (0)

/* Adds up a value over the work-group and stores the sum in partials[number of the group]; reached by every work-item.
 * REDUCE once per kernel, at its outermost level; several times: REDUCE_MEMORY there, then REDUCE_STORE. */
#if WORK_GROUP == 1
#define REDUCE_MEMORY
#define REDUCE_STORE(value, partials) (partials)[get_group_id(0)] = (value)
#else
#define REDUCE_MEMORY                 __local float reduce_sums[WORK_GROUP]
#define REDUCE_STORE(value, partials) reduce_store((value), (partials), reduce_sums)
static void reduce_store(float value, __global float *partials, __local float *sums) {
    int item = get_local_id(0);
    sums[item] = value;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_size = WORK_GROUP / 2; half_size > 0; half_size /= 2) {
        if (item < half_size) {
            sums[item] += sums[item + half_size];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (item == 0) {
        partials[get_group_id(0)] = sums[0];
    }
}
#endif
#define REDUCE(value, partials)                                                                                        \
    REDUCE_MEMORY;                                                                                                     \
    REDUCE_STORE(value, partials)
