/* What a fuzz target provides: libFuzzer's face. replay.c calls it on the files of a directory, where there is no libFuzzer. */
#ifndef WALMILL_TEST_FUZZ_H
#define WALMILL_TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
