/* Private to settings*.c: one parsed value. */
#ifndef WALMILL_BASE_SETTINGS_VALUE_H
#define WALMILL_BASE_SETTINGS_VALUE_H

#include "base/settings.h"

struct setting_value {
	char *text;                        /* as written */
	int64_t number;                    /* int, bytes, duration in us, bool */
	struct setting_address *addresses;
	size_t n_addresses;
};

/* Fills *ret, which is untouched on failure. The error says what is wrong with the value, not where it stands; it quotes no secret. */
int setting_value_parse(const struct setting_def *def, const char *text, struct setting_value *ret, struct err *err) WM_MUST_USE;
void setting_value_release(struct setting_value *v);
void setting_value_put_masked(const struct setting_def *def, const struct setting_value *v, struct buf *out);

#endif
