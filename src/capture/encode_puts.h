/* The functions that write one value each; chosen in encode_choose.c, written in encode_value.c. */
#ifndef WALMILL_CAPTURE_ENCODE_PUTS_H
#define WALMILL_CAPTURE_ENCODE_PUTS_H

#include "capture/encode_value.h"

#define PUTS(X) \
	X(put_bool) X(put_int) X(put_oid) X(put_float4) X(put_float8) X(put_text) X(put_jsonb) X(put_uuid) X(put_base64) X(put_base64_url) \
	X(put_hex) X(put_decimal_text) X(put_decimal_double) X(put_decimal_bytes) X(put_decimal_variable) X(put_date) X(put_time) \
	X(put_timestamp) X(put_timestamptz) X(put_interval_us) X(put_interval_iso) X(put_array)

#define X(name) enum put_result name(struct buf *b, const struct value_encoder *e, struct view raw);
PUTS(X)
#undef X

#endif
