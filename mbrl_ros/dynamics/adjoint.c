/* The way back through a rollout: what a change of each step's targets does to a sum over the states that follow.
 *
 * One row (candidate) of one member at a time, since a gradient is asked for few of them: the lanes of vectors are
 * neurons here, where in rollout.c they are rows. Float32.
 */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../widest.h"

#define LANES 16 /* sizes of layers are padded to a multiple of it, with zeros */
#define BLOCK 64 /* outputs of a product summed up at once */

#define EXPORT __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))

typedef struct {
    int64_t inputs, outputs;
    const float *weights; /* (M, inputs, outputs) */
    const float *back;    /* (M, outputs, inputs): the same, transposed */
    const float *biases;  /* (M, outputs) */
} Layer;

typedef struct {
    int64_t members, batch, horizon, states, actions, layers;
    const Layer *layer;
    const float *before;   /* (M, B, H, S) the state before each step */
    const float *told;     /* (M, B, H, A) targets */
    const float *gradient; /* (M, B, H, S) by the state after each step */
    float *out;            /* (M, B, H, A) by the targets */
} Question;

INLINE void add_product(int64_t count, int64_t width, int64_t apart, const float *x, const float *rows, float *out) {
    float sum[BLOCK];
    for (int64_t j = 0; j < width; j++) sum[j] = out[j];
    for (int64_t k = 0; k < count; k++)
        for (int64_t j = 0; j < width; j++) sum[j] += x[k] * rows[k * apart + j];
    for (int64_t j = 0; j < width; j++) out[j] = sum[j];
}

/* out (width) += x (count) times rows (count, width); widths are constants to the compiler, so sums stay in registers */
INLINE void multiply(int64_t count, int64_t width, const float *x, const float *rows, float *out) {
    int64_t j = 0;
    for (; j + BLOCK <= width; j += BLOCK) add_product(count, BLOCK, width, x, rows + j, out + j);
    for (; j < width; j += LANES) add_product(count, LANES, width, x, rows + j, out + j);
}

/* u -> silu(u), and its slope */
INLINE void activate(int64_t width, float *u, float *slope) {
    for (int64_t j = 0; j < width; j++) {
        float s = 1 / (1 + expf(-u[j]));
        u[j] *= s;
        slope[j] = s + u[j] * (1 - s);
    }
}

/* Returns 0, or 1 where there is no memory. */
EXPORT WIDEST int pull_back(const Question *q) {
    int64_t widest = 0;
    for (int64_t i = 0; i < q->layers; i++) {
        widest = q->layer[i].inputs > widest ? q->layer[i].inputs : widest;
        widest = q->layer[i].outputs > widest ? q->layer[i].outputs : widest;
    }
    float *memory = aligned_alloc(64, (size_t)((q->layers + 3) * widest) * sizeof(float));
    if (!memory) return 1;
    float *one = memory, *two = memory + widest, *upstream = two + widest, *slopes = upstream + widest, *swap;

    for (int64_t row = 0; row < q->members * q->batch; row++) {
        const int64_t member = row / q->batch;
        memset(upstream, 0, (size_t)widest * sizeof(float));
        for (int64_t step = row * q->horizon + q->horizon - 1; step >= row * q->horizon; step--) {
            float *in = one, *out = two;
            memset(in, 0, (size_t)widest * sizeof(float));
            memcpy(in, q->before + step * q->states, (size_t)q->states * sizeof(float));
            memcpy(in + q->states, q->told + step * q->actions, (size_t)q->actions * sizeof(float));
            for (int64_t i = 0; i < q->layers - 1; i++, swap = in, in = out, out = swap) {
                const Layer *l = q->layer + i;
                memcpy(out, l->biases + member * l->outputs, (size_t)l->outputs * sizeof(float));
                multiply(l->inputs, l->outputs, in, l->weights + member * l->inputs * l->outputs, out);
                activate(l->outputs, out, slopes + i * widest);
            }
            for (int64_t s = 0; s < q->states; s++) upstream[s] += q->gradient[step * q->states + s];
            memcpy(in, upstream, (size_t)widest * sizeof(float));
            for (int64_t i = q->layers - 1; i >= 0; i--, swap = in, in = out, out = swap) {
                const Layer *l = q->layer + i;
                memset(out, 0, (size_t)l->inputs * sizeof(float));
                multiply(l->outputs, l->inputs, in, l->back + member * l->inputs * l->outputs, out);
                if (i > 0)
                    for (int64_t j = 0; j < l->inputs; j++) out[j] *= slopes[(i - 1) * widest + j];
            }
            for (int64_t s = 0; s < q->states; s++) upstream[s] += in[s];
            memcpy(q->out + step * q->actions, in + q->states, (size_t)q->actions * sizeof(float));
        }
    }
    free(memory);
    return 0;
}
