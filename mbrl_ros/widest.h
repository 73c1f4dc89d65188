/* A function compiled for several kinds of processor; which one runs is chosen when the program starts. */

#pragma once

#include <stdint.h> /* tells which C library this is */

/* Not every compiler and C library can choose between clones of a function when a program starts. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && __GNUC__ >= 12
#define WIDEST __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WIDEST
#endif
