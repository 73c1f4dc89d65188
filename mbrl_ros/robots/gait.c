/* The gait map of gait.py, for many candidates at once: stride, lift and displacements of feet become joint targets.
 *
 * At one step all candidates are at the same phase, so what depends on it is a number a leg, and candidates lie side by
 * side in the lanes of vectors. The compiler makes the vectors.
 */

#include <math.h>
#include <stdint.h>

#include "../widest.h"

#define REVISION 1 /* of the structs below; gait_native.py refuses a library of another one */
#define LANES 16
#define MOST_LEGS 8

#define EXPORT __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))
#define EACH for (int i = 0; i < LANES; i++)

typedef struct {
    float offset; /* of its phase */
    float foot[3], arm[2], side, compliance[3], low[3], high[3];
    int64_t joint[3]; /* where its hip, thigh and calf are among the targets */
} Leg;

typedef struct {
    int64_t legs, joints;
    float duty, lead, hold; /* periods by which targets run ahead of the phase, and by which contact does */
    float thigh, calf, weight, contact_lift;
    const float *unit; /* (U): m and rad of a decision of one */
    const Leg *leg;
} Map;

typedef struct {
    float along, rise, swings; /* of the stride, of the lift, and 1 where the foot is in the air */
} Phase;

typedef struct {
    float at[LANES];
} Vector;

INLINE float least(float a, float b) { return a < b ? a : b; }
INLINE float most(float a, float b) { return a > b ? a : b; }

/* What is not a number stays so. */
INLINE float within(float value, float low, float high) { return value < low ? low : value > high ? high : value; }

/* The foot leaves and meets the ground without a jump in velocity. */
static Phase phase_of(const Map *m, const Leg *l, float phase) {
    float duty = m->duty, lead = phase + m->lead + l->offset, contact = phase + m->hold + l->offset;
    lead -= floorf(lead), contact -= floorf(contact);
    float s = most((lead - duty) / (1 - duty), 0), s2 = s * s, s3 = s2 * s, slope = -(1 - duty) / duty;
    float returning = 3 * s2 - 2 * s3 - 0.5f + slope * (2 * s3 - 3 * s2 + s);
    return (Phase){lead < duty ? 0.5f - lead / duty : returning, 16 * s2 * (1 - s) * (1 - s), contact >= duty};
}

/* To 2e-7 rad. */
INLINE float angle(float y, float x) {
    float ax = fabsf(x), ay = fabsf(y), small = least(ax, ay), large = most(ax, ay);
    float t = small / most(large, 1e-30f), s = t * t;
    float p = -0.0040540580f;
    p = p * s + 0.0218612288f;
    p = p * s - 0.0559098861f;
    p = p * s + 0.0964200441f;
    p = p * s - 0.1390853351f;
    p = p * s + 0.1994653599f;
    p = p * s - 0.3332985605f;
    p = p * s + 0.9999993329f;
    float a = p * t;
    a = ay > ax ? 1.57079637f - a : a;
    a = x < 0 ? 3.14159274f - a : a;
    return (y < 0 ? -a : a) + 0 * x; /* 0, or not a number where x is none */
}

/* decisions (N, H, U) with so many floats between candidates and between steps; phase (H); out (H, A, rows), rows a
 * multiple of LANES and at least N. Rows beyond N repeat the last candidate. */
EXPORT WIDEST void gait_decode(const Map *m, int64_t count, int64_t horizon, const float *decisions, int64_t apart,
                               int64_t step, const float *phase, int64_t rows, float *out) {
    const int64_t size = 4 + 3 * m->legs;
    const float thigh = m->thigh, calf = m->calf, lengths = thigh * thigh + calf * calf, twice = 2 * thigh * calf;
    for (int64_t h = 0; h < horizon; h++) {
        Phase phases[MOST_LEGS];
        for (int64_t l = 0; l < m->legs; l++) phases[l] = phase_of(m, m->leg + l, phase[h]);
        for (int64_t first = 0; first < rows; first += LANES) {
            Vector u[4 + 3 * MOST_LEGS], contact[MOST_LEGS], carried = {{0}};
            for (int64_t i = 0; i < LANES; i++) {
                const int64_t n = first + i < count ? first + i : count - 1;
                const float *from = decisions + n * apart + h * step;
                for (int64_t k = 0; k < size; k++) u[k].at[i] = from[k] * m->unit[k];
            }
            for (int64_t l = 0; l < m->legs; l++) {
                const float swings = phases[l].swings, per = 1 / m->contact_lift;
                EACH {
                    float lifted = u[3].at[i] * per;
                    contact[l].at[i] = 1 - swings * (lifted > 1 ? 1 : lifted);
                    carried.at[i] += contact[l].at[i];
                }
            }
            for (int64_t l = 0; l < m->legs; l++) {
                const Leg leg = m->leg[l];
                const Phase p = phases[l];
                const Vector *moved = u + 4 + 3 * l;
                Vector hip, lean, knee;
                EACH {
                    float x = moved[0].at[i] + p.along * (u[0].at[i] - u[2].at[i] * leg.arm[1]) + leg.foot[0];
                    float y = moved[1].at[i] + p.along * (u[1].at[i] + u[2].at[i] * leg.arm[0]) + leg.foot[1];
                    float z = moved[2].at[i] + p.rise * u[3].at[i] + leg.foot[2];
                    float force = contact[l].at[i] / carried.at[i] * m->weight;
                    float up = sqrtf(within(y * y + z * z - leg.side * leg.side, 1e-4f, INFINITY));
                    float length = x * x + up * up;
                    float cosine = within((length - lengths) / twice, -0.999f, 0.999f);
                    float sine = -sqrtf(1 - cosine * cosine);
                    float along = thigh + calf * cosine, across = calf * sine;
                    float rise = -x * along - up * across, run = up * along - x * across;
                    float knee_x = -thigh * rise / length;
                    hip.at[i] = angle(z * leg.side + y * up, y * leg.side - z * up) - force * y * leg.compliance[0];
                    lean.at[i] = angle(rise, run) + force * x * leg.compliance[1];
                    knee.at[i] = angle(sine, cosine) + force * (x - knee_x) * leg.compliance[2];
                }
                const Vector *angles[3] = {&hip, &lean, &knee};
                for (int64_t j = 0; j < 3; j++) {
                    float *to = out + (h * m->joints + leg.joint[j]) * rows + first;
                    EACH to[i] = within(angles[j]->at[i], leg.low[j], leg.high[j]);
                }
            }
        }
    }
}

EXPORT int gait_revision(void) { return REVISION; }
