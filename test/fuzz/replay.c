/* Stands in for libFuzzer: gives every file of the folders named on the command line to the target, and the empty input. Main thread. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int replay_one(void *arg, const char *name)
{
	struct buf path = BUF_INIT(4096), bytes = BUF_INIT(16 << 20);
	struct err err = ERR_INIT;
	const char *dir = *(char **)arg;
	int rc;

	buf_printf(&path, "%s/%s", dir, name);
	rc = io_read_file(io_system(), buf_cstr(&path), &bytes, &err);
	if (rc)
		fprintf(stderr, "%s\n", err.text);
	else
		LLVMFuzzerTestOneInput(bytes.ptr ? bytes.ptr : (const uint8_t *)"", bytes.len);
	buf_release(&path);
	buf_release(&bytes);
	return rc;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	int i;

	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (i = 1; i < argc; i++)
		if (io_list(io_system(), argv[i], replay_one, &argv[i], &err)) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
	return 0;
}
