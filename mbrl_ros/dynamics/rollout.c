/* Rolls an ensemble of small networks over a horizon without leaving the core's own caches.
 *
 * A block of rows (candidates) of one member goes through all steps before the next block begins: what it computes on
 * stays in the first-level cache, and the member's weights, some 60 to 100 kB, in the second. Rows lie side by side in
 * the lanes of vectors: one value of 16 rows is a vector, and a weight meets it as a scalar. So rows cannot touch each
 * other, no width of a layer wastes lanes, and the output of a layer lies as the next one wants its input.
 *
 * Two precisions, packed by native.py:
 *   float32   any processor; vectors of 4, 8 or 16 lanes
 *   bf16      processors with avx512_bf16: what goes into a matmul is rounded to 8 significant bits, sums and states
 *             stay float32; one instruction does 32 multiply-adds instead of 16
 *
 * A hidden layer is silu(W h + b) with silu(u) = u / (1 + exp(-u)). native.py scales it by -log2(e) before the silu and
 * the last layer back, so that silu(t) = t / (1 + 2^t) here, one multiplication less.
 */

#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define REVISION 3 /* of the structs here and in adjoint.c, of the packing; native.py refuses a library of another one */
#define LANES 16   /* rows side by side; wider than some vectors, then it takes several */
#define NEURONS 4  /* outputs of a layer that are summed up at once; their weights lie next to each other */
#define MOST_CHUNKS 3 /* a block is at most 3 x 16 rows: 12 sums hide each other's latency, and fit in registers */

#define BREATHS 10000 /* some 0.2 ms */

#define EXPORT __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))

typedef struct {
    int64_t inputs, outputs; /* padded with zeros: inputs to an even number, outputs to a multiple of NEURONS */
    const void *weights;     /* (M, outputs / 4, inputs, 4) float32, or (M, outputs / 4, inputs / 2, 4, 2) bf16 */
    const float *biases;     /* (M, outputs) */
} Layer;

typedef struct {
    int64_t states, actions, layers, path; /* path: one of `paths` */
    const float *mean, *scale; /* (S + A): the first layer sees (value - mean) * scale */
    const Layer *layer;
} Model;

typedef struct {
    int64_t members, batch, horizon;
    const float *states;         /* (M, B, S) */
    int64_t state_strides[3];    /* in floats */
    const float *actions;        /* (M, B, H, A) */
    int64_t action_strides[4];   /* in floats */
    float *out;                  /* (M, H, S, rows), rows = batch padded to LANES */
    int64_t next;                /* block that nobody has taken yet; all threads count it up */
    int64_t done;                /* blocks whose states are written */
} Question;

typedef struct {
    int64_t member, first, rows; /* rows: a multiple of LANES; those from `batch` on are padding */
} Block;

typedef struct {
    float *x;          /* (S, rows) states in their own units */
    float *in;         /* (inputs, rows) of the first layer */
    float *one, *two;  /* (widest, rows) activations, by turns input and output of a layer */
} Scratch;

/* ---- rows in, rows out: the same on all paths ---- */

INLINE void load_states(const Model *m, const Question *q, Block b, float *x) {
    const float *from = q->states + b.member * q->state_strides[0];
    for (int64_t r = 0; r < b.rows; r++) {
        int64_t row = b.first + r < q->batch ? b.first + r : b.first; /* padding: anything will do */
        for (int64_t s = 0; s < m->states; s++)
            x[s * b.rows + r] = from[row * q->state_strides[1] + s * q->state_strides[2]];
    }
}

INLINE void load_inputs(const Model *m, const Question *q, Block b, int64_t step, const float *x, float *in) {
    /* Subtracted in float32: rounding to bf16 first would lose a small state on a large mean. */
    for (int64_t s = 0; s < m->states; s++)
        for (int64_t r = 0; r < b.rows; r++) in[s * b.rows + r] = (x[s * b.rows + r] - m->mean[s]) * m->scale[s];

    const int64_t *stride = q->action_strides, there = q->batch - b.first;
    const float *from = q->actions + b.member * stride[0] + b.first * stride[1] + step * stride[2];
    const float *mean = m->mean + m->states, *scale = m->scale + m->states;
    in += m->states * b.rows;
    for (int64_t r = 0; r < b.rows && r < there; r++)
        for (int64_t a = 0; a < m->actions; a++)
            in[a * b.rows + r] = (from[r * stride[1] + a * stride[3]] - mean[a]) * scale[a];
}

INLINE void advance_states(const Model *m, const Question *q, Block b, int64_t step, const float *change, float *x) {
    int64_t rows = (q->batch + LANES - 1) / LANES * LANES;
    float *out = q->out + (b.member * q->horizon + step) * m->states * rows + b.first;
    for (int64_t s = 0; s < m->states; s++)
        for (int64_t r = 0; r < b.rows; r++) out[s * rows + r] = x[s * b.rows + r] += change[s * b.rows + r];
}

/* ---- float32: blocks of LANES rows ---- */

#define UNROLLED _Pragma("GCC unroll 8")

/* NEURONS outputs of LANES rows. Vectors as wide as the processor's: gcc splits wider ones badly. */
#define DEFINE_TILE(name, FEATURES, WIDTH)                                                                            \
    typedef float name##_vector __attribute__((vector_size(4 * WIDTH), may_alias));                                   \
    FEATURES INLINE void name(int64_t inputs, const float *in, const float *weights, const float *bias, float *out) { \
        const name##_vector *from = (const name##_vector *)in;                                                        \
        name##_vector *to = (name##_vector *)out, sum[NEURONS][LANES / WIDTH];                                        \
        UNROLLED for (int n = 0; n < NEURONS; n++)                                                                    \
            UNROLLED for (int v = 0; v < LANES / WIDTH; v++) sum[n][v] = (name##_vector){0} + bias[n];                \
        for (int64_t k = 0; k < inputs; k++, from += LANES / WIDTH, weights += NEURONS)                               \
            UNROLLED for (int n = 0; n < NEURONS; n++)                                                                \
                UNROLLED for (int v = 0; v < LANES / WIDTH; v++) sum[n][v] += from[v] * weights[n];                   \
        UNROLLED for (int n = 0; n < NEURONS; n++)                                                                    \
            UNROLLED for (int v = 0; v < LANES / WIDTH; v++) *to++ = sum[n][v];                                       \
    }

typedef union {
    float f;
    uint32_t bits;
} Number;

/* t / (1 + 2^t) in place, 2^t to 1e-7. The compiler vectorises it. What is not finite stays so. */
INLINE void silu(float *t, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        /* Within +-126, so that 2^t is an ordinary number. As integers: of floats, gcc would make branches. */
        Number within = {t[i]}, whole, power;
        uint32_t size = within.bits & 0x7fffffff, most = 0x42fc0000;
        within.bits = (within.bits & 0x80000000) | (size < most ? size : most);
        whole.f = within.f + 12582912.0f; /* 1.5 * 2^23: the nearest whole number then is in the lowest bits */
        float f = within.f - (whole.f - 12582912.0f);
        power.f = 0.0013276471f;
        power.f = power.f * f + 0.009675541f;
        power.f = power.f * f + 0.05550713f;
        power.f = power.f * f + 0.2402212f;
        power.f = power.f * f + 0.69314694f;
        power.f = power.f * f + 1.0000001f;
        power.bits += whole.bits << 23;
        t[i] = t[i] / (1.0f + power.f);
    }
}

typedef void (*Tile)(int64_t, const float *, const float *, const float *, float *);

INLINE void roll_float(const Model *m, Question *q, Block b, Scratch s, Tile tile) {
    load_states(m, q, b, s.x);
    for (int64_t step = 0; step < q->horizon; step++) {
        load_inputs(m, q, b, step, s.x, s.in);
        float *in = s.in, *out = s.one;
        for (int64_t i = 0; i < m->layers; i++) {
            const Layer *l = m->layer + i;
            const float *weights = (const float *)l->weights + b.member * l->inputs * l->outputs;
            const float *biases = l->biases + b.member * l->outputs;
            for (int64_t n = 0; n < l->outputs; n += NEURONS)
                tile(l->inputs, in, weights + n * l->inputs, biases + n, out + n * LANES);
            if (i < m->layers - 1) silu(out, l->outputs * LANES);
            in = out;
            out = out == s.one ? s.two : s.one;
        }
        advance_states(m, q, b, step, in, s.x);
    }
}

#define DEFINE_FLOAT_PATH(name, FEATURES, WIDTH)                                                           \
    DEFINE_TILE(tile_##name, FEATURES, WIDTH)                                                              \
    FEATURES static void roll_##name(const Model *m, Question *q, Block b, Scratch s) {                    \
        b.rows = LANES; /* a constant to the compiler */                                                   \
        roll_float(m, q, b, s, tile_##name);                                                               \
    }

DEFINE_FLOAT_PATH(plain, , 4)

#if defined(__x86_64__)
DEFINE_FLOAT_PATH(avx2, __attribute__((target("avx2,fma"))), 8)
DEFINE_FLOAT_PATH(avx512, __attribute__((target("avx512f,avx512dq,avx512vl,fma"))), 16)

/* ---- bf16: blocks of up to MOST_CHUNKS x LANES rows, values of two neurons in each lane ---- */

#define BF16 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512bf16,fma")))

/* Rounded to bf16, of each row the even neuron's value below, the odd one's above. */
BF16 INLINE __m512i paired(__m512 even, __m512 odd) {
    const __m512i turns = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(turns, (__m512i)_mm512_cvtne2ps_pbh(odd, even));
}

/* t / (1 + 2^t) to 2e-4, which is less than bf16 can tell. */
BF16 INLINE __m512 silu_bf16(__m512 t) {
    __m512 f = _mm512_reduce_ps(t, _MM_FROUND_TO_NEG_INF); /* what is above the whole number below; scalef takes that */
    __m512 power = _mm512_set1_ps(0.07802452f);
    power = _mm512_fmadd_ps(power, f, _mm512_set1_ps(0.22606716f));
    power = _mm512_fmadd_ps(power, f, _mm512_set1_ps(0.69583356f));
    power = _mm512_fmadd_ps(power, f, _mm512_set1_ps(0.9999252f));
    power = _mm512_scalef_ps(power, t);
    return _mm512_mul_ps(t, _mm512_rcp14_ps(_mm512_add_ps(power, _mm512_set1_ps(1.0f))));
}

/* One layer of one member: pairs of bf16 in; out the same after a silu, or float32 where it is the last. */
BF16 INLINE void layer_bf16(const Layer *l, int64_t member, const __m512i *in, float *out, const int last,
                            const int chunks) {
    const int64_t pairs = l->inputs / 2;
    const int32_t *weights = (const int32_t *)l->weights + member * pairs * l->outputs;
    const float *biases = l->biases + member * l->outputs;
    for (int64_t n = 0; n < l->outputs; n += NEURONS) {
        __m512 sum[NEURONS][MOST_CHUNKS];
        UNROLLED for (int i = 0; i < NEURONS; i++)
            UNROLLED for (int c = 0; c < chunks; c++) sum[i][c] = _mm512_set1_ps(biases[n + i]);
        for (int64_t k = 0; k < pairs; k++, weights += NEURONS)
            UNROLLED for (int i = 0; i < NEURONS; i++)
                UNROLLED for (int c = 0; c < chunks; c++)
                    sum[i][c] = _mm512_dpbf16_ps(sum[i][c], (__m512bh)in[k * chunks + c],
                                                 (__m512bh)_mm512_set1_epi32(weights[i]));
        UNROLLED for (int i = 0; i < NEURONS; i += 2)
            UNROLLED for (int c = 0; c < chunks; c++) {
                if (last) {
                    _mm512_store_ps(out + ((n + i) * chunks + c) * LANES, sum[i][c]);
                    _mm512_store_ps(out + ((n + i + 1) * chunks + c) * LANES, sum[i + 1][c]);
                } else {
                    __m512i both = paired(silu_bf16(sum[i][c]), silu_bf16(sum[i + 1][c]));
                    _mm512_store_si512(out + ((n + i) / 2 * chunks + c) * LANES, both);
                }
            }
    }
}

BF16 INLINE void roll_chunks(const Model *m, Question *q, Block b, Scratch s, const int chunks) {
    b.rows = chunks * LANES;
    load_states(m, q, b, s.x);
    for (int64_t step = 0; step < q->horizon; step++) {
        load_inputs(m, q, b, step, s.x, s.in);
        for (int64_t k = 0; k < m->layer->inputs; k += 2)
            UNROLLED for (int c = 0; c < chunks; c++) {
                float *from = s.in + (k * chunks + c) * LANES;
                __m512i both = paired(_mm512_load_ps(from), _mm512_load_ps(from + b.rows));
                _mm512_store_si512(s.one + (k / 2 * chunks + c) * LANES, both);
            }
        float *in = s.one, *out = s.two, *swap;
        for (int64_t i = 0; i < m->layers - 1; i++, swap = in, in = out, out = swap)
            layer_bf16(m->layer + i, b.member, (const __m512i *)in, out, 0, chunks);
        layer_bf16(m->layer + m->layers - 1, b.member, (const __m512i *)in, out, 1, chunks);
        advance_states(m, q, b, step, out, s.x);
    }
}

BF16 static void roll_bf16(const Model *m, Question *q, Block b, Scratch s) {
    if (b.rows == 3 * LANES)
        roll_chunks(m, q, b, s, 3);
    else if (b.rows == 2 * LANES)
        roll_chunks(m, q, b, s, 2);
    else
        roll_chunks(m, q, b, s, 1);
}
#endif

/* ---- choosing and sharing out ---- */

typedef struct {
    const char *name;
    void (*roll)(const Model *, Question *, Block, Scratch);
    int chunks; /* of the largest block that it takes */
} Path;

static const Path paths[] = {
    {"plain", roll_plain, 1},
#if defined(__x86_64__)
    {"avx2", roll_avx2, 1},
    {"avx512", roll_avx512, 1},
    {"avx512_bf16", roll_bf16, MOST_CHUNKS},
#endif
};

static int processor_has(const char *path) {
#if defined(__x86_64__)
    int avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                 __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    if (!strcmp(path, "avx2")) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (!strcmp(path, "avx512")) return avx512;
    if (!strcmp(path, "avx512_bf16")) return avx512 && __builtin_cpu_supports("avx512bf16");
#endif
    return !strcmp(path, "plain");
}

EXPORT int rollout_revision(void) { return REVISION; }

/* What Model.path is to be for the path of this name; -1 where this library or this processor has no such path. */
EXPORT int rollout_path(const char *name) {
    for (int i = 0; i < (int)(sizeof paths / sizeof *paths); i++)
        if (!strcmp(paths[i].name, name)) return processor_has(name) ? i : -1;
    return -1;
}

static int64_t blocks_of_member(const Model *m, const Question *q) {
    int64_t chunks = (q->batch + LANES - 1) / LANES;
    return (chunks + paths[m->path].chunks - 1) / paths[m->path].chunks; /* alike but for one chunk */
}

static void breathe(void) {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Takes blocks until none is left. Several threads may call it with one question; each block is done by one of them,
 * in the same way whoever it is. Returns 0, or 1 where there is no memory. */
EXPORT int rollout_help(const Model *m, Question *q) {
    const Path *path = paths + m->path;
    int64_t widest = 0;
    for (int64_t i = 0; i < m->layers; i++) {
        widest = m->layer[i].inputs > widest ? m->layer[i].inputs : widest;
        widest = m->layer[i].outputs > widest ? m->layer[i].outputs : widest;
    }
    int64_t vector = path->chunks * LANES; /* one value of a block */
    int64_t x = m->states * vector, in = m->layer->inputs * vector, activations = widest * vector;
    float *memory = aligned_alloc(64, (size_t)(x + in + 2 * activations) * sizeof(float));
    if (!memory) return 1;
    Scratch s = {memory, memory + x, memory + x + in, memory + x + in + activations};
    memset(s.in, 0, (size_t)in * sizeof(float)); /* the padding of inputs, and what rows of padding are told to do */

    int64_t chunks = (q->batch + LANES - 1) / LANES;
    int64_t blocks = blocks_of_member(m, q);
    for (;;) {
        int64_t taken = __atomic_fetch_add(&q->next, 1, __ATOMIC_RELAXED);
        if (taken >= q->members * blocks) break;
        int64_t i = blocks - 1 - taken / q->members; /* the larger ones first: threads then end more alike */
        int64_t first = i * chunks / blocks, end = (i + 1) * chunks / blocks;
        path->roll(m, q, (Block){taken % q->members, first * LANES, (end - first) * LANES}, s);
        __atomic_fetch_add(&q->done, 1, __ATOMIC_RELEASE);
    }
    free(memory);
    return 0;
}

/* The whole question: what others have begun is waited for, awake, because it is a fraction of a block's time; after
 * that many breaths whoever has it may need this very core. Returns as `rollout_help`. */
EXPORT int rollout(const Model *m, Question *q) {
    int64_t blocks = q->members * blocks_of_member(m, q), breaths = 0;
    if (rollout_help(m, q)) return 1;
    while (__atomic_load_n(&q->done, __ATOMIC_ACQUIRE) < blocks) {
        if (breaths++ < BREATHS)
            breathe();
        else
            sched_yield();
    }
    return 0;
}
