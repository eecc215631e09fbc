/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test includes: cmocka with the headers it wants first, and the few asserts that
 * cmocka 1.1.5 lacks. */
#ifndef TK_TEST_H
#define TK_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"

/* Leave the test, which counts as passed, and say why: for data that is not there. (cmocka 1.1.5
 * writes what skip() leaves as "not ok", which Meson takes for a failure.) */
#define return_without(what)                                                                       \
    do {                                                                                           \
        print_message("# skipped, there is no %s\n", (what));                                      \
        return;                                                                                    \
    } while (0)

/* Under ThreadSanitizer code costs many times as much, and memory too: tests of what the kernel
 * accounts for leave with this. */
#if defined(__SANITIZE_THREAD__)
#define TK_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TK_UNDER_TSAN 1
#endif
#endif
#ifndef TK_UNDER_TSAN
#define TK_UNDER_TSAN 0
#endif
#define return_under_tsan()                                                                        \
    do {                                                                                           \
        if (TK_UNDER_TSAN)                                                                         \
            return_without("cost to compare under ThreadSanitizer");                               \
    } while (0)

/* A view equals a literal. */
#define assert_str_equal(view, literal)                                                            \
    do {                                                                                           \
        tk_str view_ = (view), literal_ = tk_str_from(literal);                                    \
        if (!tk_str_eq(view_, literal_)) {                                                         \
            print_error("\"%.*s\" != \"%.*s\"\n", TK_STR_ARG(view_), TK_STR_ARG(literal_));        \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

/* A double lies within `epsilon` of what is expected. */
#define assert_near(value, expected, epsilon)                                                      \
    do {                                                                                           \
        double value_ = (value), expected_ = (expected);                                           \
        if (!(value_ >= expected_ - (epsilon) && value_ <= expected_ + (epsilon))) {               \
            print_error("%.17g is not within %g of %.17g\n", value_, (double)(epsilon),            \
                        expected_);                                                                \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

#endif
