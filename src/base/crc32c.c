/*
 * CRC-32C; see crc32c.h. The hardware path runs three independent streams, because the crc32 instruction has a latency of three cycles
 * and a throughput of one; the streams are joined by a shift through tables of x^(8n) mod P
 * (V. Gopal et al., "Fast CRC Computation for iSCSI Polynomial Using CRC32 Instruction", Intel 2011).
 */
#include "base/crc32c.h"

#include <pthread.h>
#include <string.h>

enum { POLY = (int)0x82f63b78, STREAM = 1024 };

static uint32_t table[8][256];
static uint32_t shift[4][256]; /* a checksum moved over STREAM zero bytes, by its four bytes */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void build(void)
{
	uint32_t i, k, basis[32];

	for (i = 0; i < 256; i++) {
		uint32_t c = i;

		for (k = 0; k < 8; k++)
			c = c & 1 ? (c >> 1) ^ (uint32_t)POLY : c >> 1;
		table[0][i] = c;
	}
	for (i = 0; i < 256; i++)
		for (k = 1; k < 8; k++)
			table[k][i] = (table[k - 1][i] >> 8) ^ table[0][table[k - 1][i] & 0xff];
	for (i = 0; i < 32; i++) {
		uint32_t c = (uint32_t)1 << i;

		for (k = 0; k < STREAM; k++)
			c = (c >> 8) ^ table[0][c & 0xff];
		basis[i] = c;
	}
	for (k = 0; k < 4; k++)
		for (i = 0; i < 256; i++) {
			uint32_t c = 0, bit;

			for (bit = 0; bit < 8; bit++)
				c ^= i >> bit & 1 ? basis[8 * k + bit] : 0;
			shift[k][i] = c;
		}
}

uint32_t crc32c_table(uint32_t crc, const void *ptr, size_t len)
{
	const uint8_t *p = ptr;

	pthread_once(&once, build);
	crc = ~crc;
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		v ^= crc;
		crc = table[7][v & 0xff] ^ table[6][v >> 8 & 0xff] ^ table[5][v >> 16 & 0xff] ^ table[4][v >> 24 & 0xff] ^
		      table[3][v >> 32 & 0xff] ^ table[2][v >> 40 & 0xff] ^ table[1][v >> 48 & 0xff] ^ table[0][v >> 56];
	}
	for (; len; p++, len--)
		crc = (crc >> 8) ^ table[0][(crc ^ *p) & 0xff];
	return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t crc32c_hardware(uint32_t crc, const void *ptr, size_t len)
{
	const uint8_t *p = ptr;
	uint64_t a = ~crc;

	for (; len >= 3 * STREAM; p += 3 * STREAM, len -= 3 * STREAM) {
		uint64_t b = 0, c = 0, x, y, z;
		size_t i;

		for (i = 0; i < STREAM; i += 8) {
			memcpy(&x, p + i, 8);
			memcpy(&y, p + STREAM + i, 8);
			memcpy(&z, p + 2 * STREAM + i, 8);
			a = __builtin_ia32_crc32di(a, x);
			b = __builtin_ia32_crc32di(b, y);
			c = __builtin_ia32_crc32di(c, z);
		}
		a = (shift[0][a & 0xff] ^ shift[1][a >> 8 & 0xff] ^ shift[2][a >> 16 & 0xff] ^ shift[3][a >> 24 & 0xff]) ^ b;
		a = (shift[0][a & 0xff] ^ shift[1][a >> 8 & 0xff] ^ shift[2][a >> 16 & 0xff] ^ shift[3][a >> 24 & 0xff]) ^ c;
	}
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		a = __builtin_ia32_crc32di(a, v);
	}
	for (; len; p++, len--)
		a = __builtin_ia32_crc32qi((uint32_t)a, *p);
	return ~(uint32_t)a;
}

uint32_t crc32c(uint32_t crc, const void *ptr, size_t len)
{
	pthread_once(&once, build);
	return __builtin_cpu_supports("sse4.2") ? crc32c_hardware(crc, ptr, len) : crc32c_table(crc, ptr, len);
}

#else

uint32_t crc32c(uint32_t crc, const void *ptr, size_t len)
{
	return crc32c_table(crc, ptr, len);
}

#endif
