/* walmill's own settings table and the documents around it; see settings.h. Main thread. */
#include "cli/settings.h"

const struct setting_def walmill_settings[SET_COUNT] = {
#define X(constant, name, type, preset, min, max, choices, when, doc) \
	[constant] = {name, SETTING_##type, preset, min, max, choices, SETTING_##when, doc},
	WALMILL_SETTINGS(X)
#undef X
};

void walmill_settings_markdown(struct buf *out)
{
	buf_puts(out,
		"# Settings\n"
		"\n"
		"<!-- Made by tools/docs.py from src/cli/settings.h; do not edit. -->\n"
		"\n"
		"Each setting has one name that works in the configuration file (`walmill up --config FILE`, lines of `name = value`),\n"
		"as `--set name=value`, and as an environment variable. The command line goes before the environment, the environment\n"
		"before the file, the file before the default. `--data`, `--source` and `--target` are short for the settings of these\n"
		"names. An unknown name stops the start.\n"
		"\n"
		"| type | is written as |\n"
		"|---|---|\n"
		"| int | decimal digits |\n"
		"| bytes | digits and one of `B` `KiB` `MiB` `GiB` `TiB`; `0` needs no unit |\n"
		"| duration | digits and one of `us` `ms` `s` `min` `h` `d`; `0` needs no unit |\n"
		"| bool | `on` or `off` (`true` `false` `yes` `no` `1` `0` too) |\n"
		"| addresses | `host:port`, comma separated; IPv6 as `[::1]:9092`; empty for none |\n"
		"| connection | a PostgreSQL connection string, either form; passwords in it are never printed |\n"
		"\n"
		"In the file, `#` begins a comment. A value that holds `#`, or begins or ends with a blank, stands in single quotes (a\n"
		"quote inside is doubled) or double quotes (`\\\"`, `\\\\`, `\\n` and `\\t` inside).\n");
	settings_markdown(walmill_settings, SET_COUNT, out);
}

void walmill_settings_man(struct buf *out)
{
	buf_puts(out,
		".\\\" Made by tools/docs.py from src/cli/settings.h; do not edit.\n"
		".TH WALMILL.CONF 5 \"\" walmill \"File formats\"\n"
		".SH NAME\n"
		"walmill.conf \\- settings of walmill\n"
		".SH SYNOPSIS\n"
		".B walmill up \\-\\-config\n"
		".I FILE\n"
		".SH DESCRIPTION\n"
		"Lines of\n"
		".B name = value\n"
		"with # before comments. A value that holds #, or begins or ends with a blank, stands in single quotes (a quote inside is\n"
		"doubled) or in double quotes, where \\e\", \\e\\e, \\en and \\et have their usual meaning.\n"
		"The same names work as\n"
		".B \\-\\-set name=value\n"
		"and, in upper case with dots as underscores, as environment variables:\n"
		".B kafka.listen\n"
		"is\n"
		".BR WALMILL_KAFKA_LISTEN .\n"
		"The command line goes before the environment, the environment before the file, the file before the default.\n"
		".PP\n"
		"Sizes are digits and one of B, KiB, MiB, GiB, TiB; durations digits and one of us, ms, s, min, h, d.\n"
		"Addresses are host:port, comma separated, with IPv6 hosts in brackets; empty for none.\n"
		".SH SETTINGS\n");
	settings_man(walmill_settings, SET_COUNT, out);
	buf_puts(out, ".SH SEE ALSO\n.BR walmill (1)\n");
}
