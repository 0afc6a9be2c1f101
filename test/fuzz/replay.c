/* Runs a fuzz target over every file of a directory: the corpus, as a test of every build. usage: replay_TARGET DIR */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "fuzz.h"

int main(int argc, char **argv)
{
	struct buf b = BUF_INIT(64 << 20);
	struct err err = ERR_INIT;
	struct dirent *e;
	unsigned n = 0;
	char path[4096];
	DIR *dir;

	if (argc != 2 || !(dir = opendir(argv[1]))) {
		fprintf(stderr, "usage: %s DIR\n", argv[0]);
		return 2;
	}
	while ((e = readdir(dir))) {
		uint8_t *copy;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", argv[1], e->d_name);
		buf_clear(&b);
		if (io_read_file(io_system(), path, &b, &err)) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		copy = malloc(b.len ? b.len : 1); /* exactly as large, so that the sanitizer sees a read behind the end */
		if (!copy)
			return 1;
		memcpy(copy, b.ptr ? b.ptr : copy, b.len);
		LLVMFuzzerTestOneInput(copy, b.len);
		free(copy);
		n++;
	}
	closedir(dir);
	buf_release(&b);
	printf("%u inputs\n", n);
	return n ? 0 : 1;
}
