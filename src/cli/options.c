/* Command line options; see options.h. Main thread. */
#include "cli/options.h"

#include "base/mem.h"
#include "base/text.h"
#include "cli/settings.h"

/* Variables of the program's name that are no settings. */
static const char *const other_variables[] = {"WALMILL_INJECT", "WALMILL_SKIP_SETUP", NULL};

/* Options that stand for a setting of the same name. */
static const char *const setting_options[] = {"--data", "--source", "--target"};

enum { COMMON_COUNT = 7, OWN_MAX = 24 };

struct parse {
	struct cli_args *args;
	const char *config, *set, *setting;   /* where common options put their values, for the moment */
	struct cli_option table[COMMON_COUNT + OWN_MAX];
	size_t n;
};

static void make_table(struct parse *p, const struct cli_option *own, size_t n_own)
{
	const struct cli_option common[COMMON_COUNT] = {
		{"--config", "FILE", "read settings from FILE", &p->config, NULL},
		{"--set", "NAME=VALUE", "set one setting", &p->set, NULL},
		{"--data", "DIR", "short for --set data=DIR", &p->setting, NULL},
		{"--source", "DSN", "short for --set source=DSN", &p->setting, NULL},
		{"--target", "DSN", "short for --set target=DSN", &p->setting, NULL},
		{"--json", NULL, "print for programs", NULL, &p->args->json},
		{"--help", NULL, "print this", NULL, &p->args->help},
	};

	wm_assert(n_own <= OWN_MAX);
	memcpy(p->table, common, sizeof(common));
	if (n_own)
		memcpy(p->table + COMMON_COUNT, own, n_own * sizeof(*own));
	p->n = COMMON_COUNT + n_own;
}

static const struct cli_option *find(const struct parse *p, struct view name, struct err *err)
{
	size_t i, best = SIZE_MAX, at = 0;

	for (i = 0; i < p->n; i++) {
		size_t d = text_distance(name, view_str(p->table[i].name));

		if (d == 0 && view_is(name, p->table[i].name))
			return &p->table[i];
		if (d < best) {
			best = d;
			at = i;
		}
	}
	err_set(err, ERR_INVALID, "unknown option \"%.*s\"", (int)(name.len > 80 ? 80 : name.len), (const char *)name.ptr);
	if (best <= name.len / 3)
		err_hint(err, "Did you mean %s?", p->table[at].name);
	else
		err_hint(err, "--help lists the options.");
	return NULL;
}

/* What an option of the common ones means for the settings. Own options need nothing more. */
static int apply(struct parse *p, const struct cli_option *o, struct err *err)
{
	size_t i;

	if (o->ret_text == &p->set)
		return settings_set_argument(p->args->settings, p->set, err);
	for (i = 0; i < sizeof(setting_options) / sizeof(setting_options[0]); i++)
		if (strcmp(o->name, setting_options[i]) == 0)
			return settings_set(p->args->settings, SETTINGS_COMMAND_LINE, o->name + 2, p->setting, o->name, err);
	return 0;
}

/* One option at *argv, with its value if that is the next word; *argv moves on to the last word that was used. */
static int take_option(struct parse *p, char *const **argv, struct err *err)
{
	const char *word = **argv, *equals = strchr(word, '=');
	const struct cli_option *o;
	const char *value = equals ? equals + 1 : NULL;

	if (strcmp(word, "-h") == 0)
		word = "--help";
	o = find(p, view_of(word, equals ? (size_t)(equals - word) : strlen(word)), err);
	if (!o)
		return -1;
	if (!o->value) {
		if (value)
			return err_set(err, ERR_INVALID, "option %s takes no value", o->name);
		*o->ret_flag = true;
		return 0;
	}
	if (!value && !(value = *++*argv))
		return err_set(err, ERR_INVALID, "option %s needs a value: %s", o->name, o->value);
	*o->ret_text = value;
	return apply(p, o, err);
}

static bool wants_help(char *const *argv)
{
	for (; *argv && strcmp(*argv, "--") != 0; argv++)
		if (strcmp(*argv, "--help") == 0 || strcmp(*argv, "-h") == 0)
			return true;
	return false;
}

int cli_parse(struct io *io, char *const *argv, char *const *envp, const struct cli_option *own, size_t n_own, struct cli_args *ret,
	struct err *err)
{
	struct parse p = {.args = ret};
	bool only_words = false;
	size_t n = 0;

	*ret = (struct cli_args){.settings = settings_new(walmill_settings, SET_COUNT), .help = wants_help(argv)};
	if (ret->help)
		return 0;
	while (argv[n])
		n++;
	ret->words = mem_zalloc((n + 1) * sizeof(*ret->words));
	make_table(&p, own, n_own);
	for (; *argv; argv++) {
		if (!only_words && strcmp(*argv, "--") == 0)
			only_words = true;
		else if (only_words || (*argv)[0] != '-' || !(*argv)[1])
			ret->words[ret->n_words++] = *argv;
		else if (take_option(&p, &argv, err))
			return -1;
	}
	if (p.config && settings_load_file(ret->settings, io, p.config, err))
		return -1;
	return settings_load_environment(ret->settings, envp, other_variables, err);
}

void cli_args_release(struct cli_args *a)
{
	settings_free(a->settings);
	mem_free(a->words);
	*a = (struct cli_args){.settings = NULL};
}

void cli_help(const char *usage, const struct cli_option *own, size_t n_own, struct buf *out)
{
	struct cli_args unused = {.settings = NULL};
	struct parse p = {.args = &unused};
	char left[64];
	size_t i;

	make_table(&p, own, n_own);
	buf_printf(out, "usage: walmill %s\n\noptions:\n", usage);
	for (i = 0; i < p.n; i++) {
		/* a command's own come first */
		const struct cli_option *o = &p.table[(i + COMMON_COUNT) % p.n];

		snprintf(left, sizeof(left), "%s %s", o->name, o->value ? o->value : "");
		buf_printf(out, "  %-24s %s\n", left, o->doc);
	}
	buf_puts(out, "\nsettings, for --set, a file, or the environment (kafka.listen is WALMILL_KAFKA_LISTEN there):\n");
	settings_help(walmill_settings, SET_COUNT, out);
}

static void put_clean(struct buf *out, const char *text)
{
	for (; *text; text++) {
		uint8_t c = (uint8_t)*text;

		if (c == '\n')
			buf_puts(out, "\n  ");
		else if (c < ' ' || c == 0x7f)
			buf_printf(out, "\\x%02x", c);
		else
			buf_u8(out, c);
	}
	buf_putc(out, '\n');
}

void cli_put_error(const struct err *err, struct buf *out)
{
	buf_puts(out, "walmill: ");
	put_clean(out, err->text);
	if (err->detail[0]) {
		buf_puts(out, "  ");
		put_clean(out, err->detail);
	}
	if (err->hint[0]) {
		buf_puts(out, "  hint: ");
		put_clean(out, err->hint);
	}
}
