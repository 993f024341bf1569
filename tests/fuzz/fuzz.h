/*
 * A fuzz target is a file fuzz_<name>.c with this one function, a line in meson.build and a folder
 * corpus/<name>/. It feeds the bytes to one parser and ASSERTs what must hold whatever they are.
 */
#ifndef WA_TESTS_FUZZ_FUZZ_H
#define WA_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* The name that libFuzzer calls; returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

#endif
