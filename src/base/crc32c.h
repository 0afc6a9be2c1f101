/* CRC-32C (Castagnoli, RFC 3720 appendix B.4): Kafka record batches and walmill's own files. SSE 4.2 where the machine has it. */
#ifndef WALMILL_BASE_CRC32C_H
#define WALMILL_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of `len` bytes; start with crc = 0, or go on with the result of the bytes before. */
uint32_t crc32c(uint32_t crc, const void *ptr, size_t len);

/* The same by table, for machines without the instruction and for the test that compares both. */
uint32_t crc32c_table(uint32_t crc, const void *ptr, size_t len);

#endif
