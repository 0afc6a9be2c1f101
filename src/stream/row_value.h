/* One published value back into a struct value, by the column's type and form. */
#ifndef WALMILL_STREAM_ROW_VALUE_H
#define WALMILL_STREAM_ROW_VALUE_H

#include "base/js.h"
#include "model/schema.h"

/* *t is the value's first token. ERR_CORRUPT when it is not a value of this form. */
int row_value_read(
	const struct column *c, struct js_reader *r, const struct js_token *t, struct arena *a, struct value *ret, struct err *err) WM_MUST_USE;

#endif
