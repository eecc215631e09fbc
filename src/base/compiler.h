/* SPDX-License-Identifier: Apache-2.0 */
/* The few compiler extensions that tracekit uses, each under a name of ours. */
#ifndef TK_BASE_COMPILER_H
#define TK_BASE_COMPILER_H

/* Run `fn(&variable)` when the variable leaves its scope. */
#define TK_CLEANUP(fn) __attribute__((cleanup(fn)))

/* printf-like: parameter `fmt_index` is the format, its arguments start at `args_index`. */
#define TK_PRINTF(fmt_index, args_index) __attribute__((format(printf, fmt_index, args_index)))

/* The caller must look at the result. */
#define TK_MUST_USE __attribute__((warn_unused_result))

/* The compiler has to have `variable` in a register here, and may not know its value after. */
#define TK_OPAQUE(variable) __asm__ volatile("" : "+r"(variable))

#define TK_COUNTOF(array) (sizeof(array) / sizeof((array)[0]))

/* Of a function that is made anew where it is called: once for each constant that it is given. */
#define TK_ALWAYS_INLINE inline __attribute__((always_inline))

/* Before a loop of a few rounds, whose number is known where it stands: no loop. Clang warns where
 * it is not known, in a function that is also made by itself, and decides for itself. */
#ifdef __clang__
#define TK_UNROLL
#else
#define TK_UNROLL _Pragma("GCC unroll 8")
#endif

#endif
