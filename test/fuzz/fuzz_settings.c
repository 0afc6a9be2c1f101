/* A settings file is read or refused with a place; what was read is printed so that it reads back the same, and masking never grows
 * wild. */
#include "base/settings.h"
#include "onefile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct setting_def defs[] = {
	{"data", SETTING_STRING, "x", NULL, NULL, NULL, SETTING_START, "."},
	{"n", SETTING_INT, "1", NULL, NULL, NULL, SETTING_START, "."},
	{"b", SETTING_BYTES, "1MiB", "1B", NULL, NULL, SETTING_START, "."},
	{"d", SETTING_DURATION, "1s", NULL, "1d", NULL, SETTING_START, "."},
	{"o", SETTING_BOOL, "on", NULL, NULL, NULL, SETTING_START, "."},
	{"a", SETTING_ADDRESSES, "h:1", NULL, NULL, NULL, SETTING_START, "."},
	{"c", SETTING_CHOICE, "x", NULL, NULL, "x y", SETTING_START, "."},
	{"s", SETTING_CONNECTION, "", NULL, NULL, NULL, SETTING_START, "."},
};
enum { N = sizeof(defs) / sizeof(defs[0]), CONNECTION = N - 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct settings *s = settings_new(defs, N), *again = settings_new(defs, N);
	struct buf out = BUF_INIT(16 << 20), masked = BUF_INIT(16 << 20);
	struct err err = ERR_INIT;
	size_t i;

	if (settings_load_file(s, onefile(view_of(data, len)), "f", &err) == 0) {
		settings_print(s, &out);
		wm_assert(buf_ok(&out));
		/* a value may hold a line end, which the one-line form that is printed cannot */
		if (!memchr(settings_text(s, 0), '\n', strlen(settings_text(s, 0))) &&
			!memchr(settings_text(s, CONNECTION), '\n', strlen(settings_text(s, CONNECTION)))) {
			wm_assert(settings_load_file(again, onefile(buf_view(&out)), "g", &err) == 0);
			for (i = 0; i < CONNECTION; i++)
				wm_assert(strcmp(settings_text(s, i), settings_text(again, i)) == 0);
		}
	} else {
		wm_assert(err.code != ERR_NONE && err.text[0]);
	}
	settings_mask_connection(view_of(data, len), &masked);
	wm_assert(masked.len <= len + 8 * len);
	settings_free(s);
	settings_free(again);
	buf_release(&out);
	buf_release(&masked);
	return 0;
}
