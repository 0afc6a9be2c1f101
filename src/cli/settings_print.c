/* Prints the documents of the settings table: settings_print --markdown | --man. For tools/docs.py; not installed. */
#include <stdio.h>

#include "cli/settings.h"

int main(int argc, char **argv)
{
	struct buf out = BUF_INIT(1 << 20);
	int rc = 2;

	if (argc == 2 && strcmp(argv[1], "--markdown") == 0)
		walmill_settings_markdown(&out);
	else if (argc == 2 && strcmp(argv[1], "--man") == 0)
		walmill_settings_man(&out);
	if (out.len && buf_ok(&out))
		rc = fwrite(out.ptr, 1, out.len, stdout) == out.len && fflush(stdout) == 0 ? 0 : 1;
	else
		fputs("usage: settings_print --markdown | --man\n", stderr);
	buf_release(&out);
	return rc;
}
