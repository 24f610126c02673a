/* + - * / as functions of their row, which inlining turns back into one operation where the row is a constant; and the
 * product of the chain rule. */
#ifndef DUALTAPE_ARITHMETIC_H
#define DUALTAPE_ARITHMETIC_H

#include "dualtape_rules.h"

#if defined(__GNUC__) || defined(__clang__)
#define DT_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define DT_ALWAYS_INLINE static inline __attribute__((always_inline))
#else
#define DT_LIKELY(condition) (condition)
#define DT_ALWAYS_INLINE static __forceinline
#endif

/* Loops that are compiled for several instruction sets, chosen among when the library is loaded. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__) && \
    !defined(__SANITIZE_ADDRESS__)
#define DT_HAS_CLONES 1
#define DT_CLONES __attribute__((target_clones("default", "avx2")))
#define DT_WIDE_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define DT_HAS_CLONES 0
#define DT_CLONES
#define DT_WIDE_CLONES
#endif

DT_ALWAYS_INLINE double dt_arithmetic(int row, double x, double y) {
    return row == DT_ADD ? dt_add(x, y) : row == DT_SUB ? dt_sub(x, y) : row == DT_MUL ? dt_mul(x, y) : dt_div(x, y);
}

DT_ALWAYS_INLINE double dt_arithmetic_dx(int row, double x, double y, double out) {
    return row == DT_ADD   ? dt_add_dx(x, y, out)
           : row == DT_SUB ? dt_sub_dx(x, y, out)
           : row == DT_MUL ? dt_mul_dx(x, y, out)
                           : dt_div_dx(x, y, out);
}

DT_ALWAYS_INLINE double dt_arithmetic_dy(int row, double x, double y, double out) {
    return row == DT_ADD   ? dt_add_dy(x, y, out)
           : row == DT_SUB ? dt_sub_dy(x, y, out)
           : row == DT_MUL ? dt_mul_dy(x, y, out)
                           : dt_div_dy(x, y, out);
}

/* A product of the chain rule. A factor that is exactly zero makes it zero whatever the other is (0 * inf = 0), unless
 * IEEE is asked for: a branch not taken, or a term multiplied by zero, makes no NaN, and both modes agree on it. */
static inline double dt_times(double w, double d, int strict) {
    double product = w * d;
    return DT_LIKELY(product == product) || strict || (w != 0.0 && d != 0.0) ? product : 0.0;
}

#endif
