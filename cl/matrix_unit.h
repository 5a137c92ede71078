/* matrix_unit.h: one small vocabulary for the matrix units of GPUs, which multiply a fragment of A by one of B and add
 * it to a fragment of sums:
 *
 *     C[row][column] += sum over k of A[row][k] * B[k][column]      UNIT_ROWS x UNIT_DEPTH times UNIT_DEPTH x UNIT_COLUMNS
 *
 * A fragment is spread over the registers of a wave: the UNIT_LANES work-items of neighboring numbers in a work-group of
 * one dimension that execute together (NVIDIA's warp, AMD's wave, Intel's sub-group). All of them must come by a
 * multiplication together.
 *
 * unit_a, unit_b, unit_c        what one work-item (lane) holds of a fragment: words with one or two elements; floats
 * UNIT_A_ROW, UNIT_K (lane, i)  which element of A its i-th one is. The order of k is ours: A and B are laid out alike, so
 *                               that a lane's elements of B lie side by side in memory
 * UNIT_B_COLUMN, UNIT_B_FIRST   column of a lane's elements of B, and the k of the first of UNIT_B_COUNT
 * UNIT_C_ROW, UNIT_C_COLUMN     which sum the i-th of UNIT_C_COUNT is
 * load_a                        A from global memory, packed: unit_a [fragments][UNIT_A_LANES]
 * load_b                        B from local memory, [columns][k], from the address of the lane's own column
 * UNIT_MULTIPLY(c, a, b)        C += A B
 *
 * MATRIX_UNIT says which; the sizes come from the host (src/device/matrix_unit.c). With UNIT_EMULATED the products are
 * computed in plain OpenCL C from elements that lie in the lanes as the vendors document it, UNIT_HARDWARE_A_K and
 * UNIT_HARDWARE_B_K included: slow, for tests of all that is built on this. Elements are bfloat16, the upper 16 bits of a
 * float, or floats of which the unit reads 19 bits (tf32) or all.
 *
 * Layouts: NVIDIA's PTX manual, mma.m16n8k16 and mma.m16n8k8; AMD's manuals of RDNA3, RDNA4 and CDNA2, WMMA and MFMA;
 * Intel's extension cl_intel_subgroup_matrix_multiply_accumulate. Included after common.h.
 */
#define NVIDIA_BF16 1 /* sm_80 on */
#define NVIDIA_TF32 2
#define WMMA_GFX11  3 /* RDNA3 */
#define WMMA_GFX12  4 /* RDNA4 */
#define MFMA_BF16   5 /* CDNA2 on */
#define MFMA_F32    6
#define XMX_8       7 /* Intel, 8 lanes: Arc */
#define XMX_16      8 /* 16 lanes: Ponte Vecchio, Battlemage */

#ifndef UNIT_EMULATED
#define UNIT_EMULATED 0
#endif

/* ---- Layouts ----------------------------------------------------------------------------------------------------- */

#if MATRIX_UNIT == NVIDIA_BF16
typedef uint4 unit_a;
typedef uint2 unit_b;
typedef float4 unit_c;
#define UNIT_A_ROW(lane, i)        ((lane) / 4 + (i) / 2 % 2 * 8)
#define UNIT_K(lane, i)            ((lane) % 4 * 4 + (i) / 4 * 2 + (i) % 2)
#define UNIT_HARDWARE_A_K(lane, i) ((lane) % 4 * 2 + (i) / 4 * 8 + (i) % 2)
#define UNIT_HARDWARE_B_K(lane, i) ((lane) % 4 * 2 + (i) / 2 * 8 + (i) % 2)
#define UNIT_B_COLUMN(lane)        ((lane) / 4)
#define UNIT_B_FIRST(lane)         ((lane) % 4 * 4)
#define UNIT_C_ROW(lane, i)        ((lane) / 4 + (i) / 2 * 8)
#define UNIT_C_COLUMN(lane, i)     ((lane) % 4 * 2 + (i) % 2)

#elif MATRIX_UNIT == NVIDIA_TF32
typedef uint4 unit_a;
typedef uint2 unit_b;
typedef float4 unit_c;
#define UNIT_A_ROW(lane, i)        ((lane) / 4 + (i) % 2 * 8)
#define UNIT_K(lane, i)            ((lane) % 4 * 2 + (i) / 2)
#define UNIT_HARDWARE_A_K(lane, i) ((lane) % 4 + (i) / 2 * 4)
#define UNIT_HARDWARE_B_K(lane, i) ((lane) % 4 + (i)*4)
#define UNIT_B_COLUMN(lane)        ((lane) / 4)
#define UNIT_B_FIRST(lane)         ((lane) % 4 * 2)
#define UNIT_C_ROW(lane, i)        ((lane) / 4 + (i) / 2 * 8)
#define UNIT_C_COLUMN(lane, i)     ((lane) % 4 * 2 + (i) % 2)

#elif MATRIX_UNIT == WMMA_GFX11 /* the upper half of the wave holds the same of A and B as the lower one */
typedef uint8 unit_a;
typedef uint8 unit_b;
typedef float8 unit_c;
#define UNIT_A_ROW(lane, i)        ((lane) % 16)
#define UNIT_K(lane, i)            (i)
#define UNIT_HARDWARE_A_K(lane, i) (i)
#define UNIT_HARDWARE_B_K(lane, i) (i)
#define UNIT_B_COLUMN(lane)        ((lane) % 16)
#define UNIT_B_FIRST(lane)         0
#define UNIT_C_ROW(lane, i)        ((i)*2 + (lane) / 16)
#define UNIT_C_COLUMN(lane, i)     ((lane) % 16)

#elif MATRIX_UNIT == WMMA_GFX12
typedef uint4 unit_a;
typedef uint4 unit_b;
typedef float8 unit_c;
#define UNIT_A_ROW(lane, i)        ((lane) % 16)
#define UNIT_K(lane, i)            ((lane) / 16 * 8 + (i))
#define UNIT_HARDWARE_A_K(lane, i) ((lane) / 16 * 8 + (i))
#define UNIT_HARDWARE_B_K(lane, i) ((lane) / 16 * 8 + (i))
#define UNIT_B_COLUMN(lane)        ((lane) % 16)
#define UNIT_B_FIRST(lane)         ((lane) / 16 * 8)
#define UNIT_C_ROW(lane, i)        ((lane) / 16 * 8 + (i))
#define UNIT_C_COLUMN(lane, i)     ((lane) % 16)

#elif MATRIX_UNIT == MFMA_BF16
typedef uint2 unit_a;
typedef uint2 unit_b;
typedef float4 unit_c;
#define UNIT_A_ROW(lane, i)        ((lane) % 16)
#define UNIT_K(lane, i)            ((lane) / 16 * 4 + (i))
#define UNIT_HARDWARE_A_K(lane, i) ((lane) / 16 * 4 + (i))
#define UNIT_HARDWARE_B_K(lane, i) ((lane) / 16 * 4 + (i))
#define UNIT_B_COLUMN(lane)        ((lane) % 16)
#define UNIT_B_FIRST(lane)         ((lane) / 16 * 4)
#define UNIT_C_ROW(lane, i)        ((lane) / 16 * 4 + (i))
#define UNIT_C_COLUMN(lane, i)     ((lane) % 16)

#elif MATRIX_UNIT == MFMA_F32
typedef uint unit_a;
typedef uint unit_b;
typedef float4 unit_c;
#define UNIT_A_ROW(lane, i)        ((lane) % 16)
#define UNIT_K(lane, i)            ((lane) / 16)
#define UNIT_HARDWARE_A_K(lane, i) ((lane) / 16)
#define UNIT_HARDWARE_B_K(lane, i) ((lane) / 16)
#define UNIT_B_COLUMN(lane)        ((lane) % 16)
#define UNIT_B_FIRST(lane)         ((lane) / 16)
#define UNIT_C_ROW(lane, i)        ((lane) / 16 * 4 + (i))
#define UNIT_C_COLUMN(lane, i)     ((lane) % 16)

#elif MATRIX_UNIT == XMX_8
typedef uint8 unit_a;
typedef uint8 unit_b;
typedef float8 unit_c;
#define UNIT_A_ROW(lane, i)        ((i) / 2)
#define UNIT_K(lane, i)            ((lane)*2 + (i) % 2) /* of A; B's lanes hold all */
#define UNIT_HARDWARE_A_K(lane, i) ((lane)*2 + (i) % 2)
#define UNIT_HARDWARE_B_K(lane, i) (i)
#define UNIT_B_COLUMN(lane)        (lane)
#define UNIT_B_FIRST(lane)         0
#define UNIT_C_ROW(lane, i)        (i)
#define UNIT_C_COLUMN(lane, i)     (lane)

#elif MATRIX_UNIT == XMX_16
typedef uint4 unit_a;
typedef uint8 unit_b;
typedef float8 unit_c;
#define UNIT_A_ROW(lane, i)        (i)
#define UNIT_K(lane, i)            (lane) /* of A; B's lanes hold all */
#define UNIT_HARDWARE_A_K(lane, i) (lane)
#define UNIT_HARDWARE_B_K(lane, i) (i)
#define UNIT_B_COLUMN(lane)        (lane)
#define UNIT_B_FIRST(lane)         0
#define UNIT_C_ROW(lane, i)        (i)
#define UNIT_C_COLUMN(lane, i)     (lane)
#endif

/* The lanes whose elements of A differ; the others read the same. */
#if MATRIX_UNIT == WMMA_GFX11
#define UNIT_A_LANES 16
#else
#define UNIT_A_LANES UNIT_LANES
#endif

#if MATRIX_UNIT == NVIDIA_TF32 || MATRIX_UNIT == MFMA_F32
typedef float unit_element;
#define PER_WORD 1 /* elements */
#else
typedef ushort unit_element;
#define PER_WORD 2
#endif
#define UNIT_A_WORDS ((int)(sizeof(unit_a) / sizeof(uint)))
#define UNIT_A_COUNT (UNIT_A_WORDS * PER_WORD)
#define UNIT_B_COUNT ((int)(sizeof(unit_b) / sizeof(uint)) * PER_WORD)
#define UNIT_C_COUNT ((int)(sizeof(unit_c) / sizeof(float)))

/* For filling in a fragment word by word. */
union a_words {
    unit_a fragment;
    uint words[UNIT_A_WORDS];
};
union b_words {
    unit_b fragment;
    uint words[UNIT_B_COUNT / PER_WORD];
};

/* ---- Loading and reading ----------------------------------------------------------------------------------------- */

INLINED unit_a load_a(__global const unit_a *fragment, int lane) {
    return fragment[lane % UNIT_A_LANES];
}

INLINED unit_b load_b(__local const unit_element *column, int lane) {
    return *(__local const unit_b *)(column + UNIT_B_FIRST(lane));
}

/* The i-th sum of a lane. No pointer to the vector: for that, Intel's compiler would move all sums to memory. */
INLINED float unit_sum(unit_c c, int i) {
#if UNIT_ROWS * UNIT_COLUMNS > 4 * UNIT_LANES
    if (i >= 4) {
        return i == 4 ? c.s4 : i == 5 ? c.s5 : i == 6 ? c.s6 : c.s7;
    }
#endif
    return i == 0 ? c.s0 : i == 1 ? c.s1 : i == 2 ? c.s2 : c.s3;
}

/* A float as an element of A or B: as bfloat16, rounded to nearest, ties to even, or as it is. */
INLINED uint element_bits(float value) {
    uint bits = as_uint(value);
#if PER_WORD == 2
    bits = value != value ? bits >> 16 | 0x40 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
#endif
    return bits;
}
#if PER_WORD == 2
#define ELEMENT_OF_BITS(bits) ((ushort)(bits))
#else
#define ELEMENT_OF_BITS(bits) as_float(bits)
#endif

/* ---- Multiplying ------------------------------------------------------------------------------------------------- */

#if UNIT_EMULATED

/* Every wave has the two matrices of a multiplication in local memory, where its lanes put their elements. A kernel
 * declares it once with UNIT_MEMORY(work-items), at its outermost level. Loops stay loops: barriers in them take time
 * to compile. */
#define UNIT_MATRICES          ((UNIT_ROWS + UNIT_COLUMNS) * UNIT_DEPTH)
#define UNIT_MEMORY(items)     __local float unit_memory[(items) / UNIT_LANES * UNIT_MATRICES]
#define UNIT_MULTIPLY(c, a, b) emulate(&(c), (a), (b), unit_memory)
#define UNIT_MEMORY_PARAMETER  , __local float *unit_memory
#define UNIT_MEMORY_ARGUMENT   , unit_memory
#define UNIT_UNROLL            _Pragma("unroll 1")

/* What the unit sees of the i-th element. */
static float element_of(const uint *words, int i) {
#if MATRIX_UNIT == NVIDIA_TF32
    return as_float(words[i] & 0xffffe000);
#elif PER_WORD == 1
    return as_float(words[i]);
#else
    return as_float(i % 2 ? words[i / 2] & 0xffff0000 : words[i / 2] << 16);
#endif
}

/* Inlined: in a function that PoCL (3.1) only calls, its barriers do not hold. */
INLINED void emulate(unit_c *c, unit_a a, unit_b b, __local float *memory) {
    int item = get_local_id(0), lane = item % UNIT_LANES;
    __local float *rows = memory + item / UNIT_LANES * UNIT_MATRICES, *columns = rows + UNIT_ROWS * UNIT_DEPTH;
    for (int i = 0; lane < UNIT_A_LANES && i < UNIT_A_COUNT; ++i) {
        rows[UNIT_A_ROW(lane, i) * UNIT_DEPTH + UNIT_HARDWARE_A_K(lane, i)] = element_of((const uint *)&a, i);
    }
    for (int i = 0; lane < UNIT_A_LANES && i < UNIT_B_COUNT; ++i) {
        columns[UNIT_B_COLUMN(lane) * UNIT_DEPTH + UNIT_HARDWARE_B_K(lane, i)] = element_of((const uint *)&b, i);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = 0; i < UNIT_C_COUNT; ++i) {
        float sum = 0.0f;
        for (int k = 0; k < UNIT_DEPTH; ++k) {
            sum += rows[UNIT_C_ROW(lane, i) * UNIT_DEPTH + k] * columns[UNIT_C_COLUMN(lane, i) * UNIT_DEPTH + k];
        }
        ((float *)c)[i] += sum;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

#else

#define UNIT_MEMORY(items)
#define UNIT_MULTIPLY(c, a, b) multiply(&(c), (a), (b))
#define UNIT_MEMORY_PARAMETER
#define UNIT_MEMORY_ARGUMENT
#define UNIT_UNROLL _Pragma("unroll")

/* Vectors as AMD's builtins have them. */
#if MATRIX_UNIT == WMMA_GFX11 || MATRIX_UNIT == WMMA_GFX12
#if !defined(__AMDGCN_WAVEFRONT_SIZE__) || __AMDGCN_WAVEFRONT_SIZE__ != 32
#error "the matrix units of RDNA are used by waves of 32 work-items"
#endif
#endif
typedef short short4_of_unit __attribute__((ext_vector_type(4)));
typedef short short8_of_unit __attribute__((ext_vector_type(8)));
typedef short short16_of_unit __attribute__((ext_vector_type(16)));

#if MATRIX_UNIT == XMX_8
float8 __attribute__((overloadable)) intel_sub_group_bf16_bf16_matrix_mad_k16(int8 a, int8 b, float8 sums);
#elif MATRIX_UNIT == XMX_16
float8 __attribute__((overloadable)) intel_sub_group_bf16_bf16_matrix_mad_k16(short8 a, int8 b, float8 sums);
#endif

INLINED void multiply(unit_c *c, unit_a a, unit_b b) {
#if MATRIX_UNIT == NVIDIA_BF16
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
                 "{%0,%1,%2,%3};"
                 : "+f"(c->x), "+f"(c->y), "+f"(c->z), "+f"(c->w)
                 : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b.x), "r"(b.y));
#elif MATRIX_UNIT == NVIDIA_TF32
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
                 "{%0,%1,%2,%3};"
                 : "+f"(c->x), "+f"(c->y), "+f"(c->z), "+f"(c->w)
                 : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b.x), "r"(b.y));
#elif MATRIX_UNIT == WMMA_GFX11
    *c = __builtin_amdgcn_wmma_f32_16x16x16_bf16_w32(__builtin_astype(a, short16_of_unit),
                                                     __builtin_astype(b, short16_of_unit), *c);
#elif MATRIX_UNIT == WMMA_GFX12
    *c = __builtin_amdgcn_wmma_f32_16x16x16_bf16_w32_gfx12(__builtin_astype(a, short8_of_unit),
                                                           __builtin_astype(b, short8_of_unit), *c);
#elif MATRIX_UNIT == MFMA_BF16
    *c = __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(__builtin_astype(a, short4_of_unit),
                                                   __builtin_astype(b, short4_of_unit), *c, 0, 0, 0);
#elif MATRIX_UNIT == MFMA_F32
    *c = __builtin_amdgcn_mfma_f32_16x16x4f32(as_float(a), as_float(b), *c, 0, 0, 0);
#elif MATRIX_UNIT == XMX_8
    *c = intel_sub_group_bf16_bf16_matrix_mad_k16(as_int8(a), as_int8(b), *c);
#elif MATRIX_UNIT == XMX_16
    *c = intel_sub_group_bf16_bf16_matrix_mad_k16(as_short8(a), as_int8(b), *c);
#endif
}

#endif

/* For a kernel that uses the unit, in work-groups of so many. */
#if MATRIX_UNIT == XMX_8 || MATRIX_UNIT == XMX_16
#define UNIT_LANES_FIXED __attribute__((intel_reqd_sub_group_size(UNIT_LANES)))
#else
#define UNIT_LANES_FIXED
#endif
#if UNIT_EMULATED
#undef UNIT_LANES_FIXED
#define UNIT_LANES_FIXED
#endif
#define UNIT_KERNEL(items) UNIT_LANES_FIXED __attribute__((reqd_work_group_size(items, 1, 1)))
