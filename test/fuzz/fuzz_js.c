/* The JSON reader stays within its text, ends, and what it calls a string can be unescaped. */
#include "base/js.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct js_reader r;
	struct js_token t;
	size_t tokens = 0;

	js_reader_init(&r, view_of(data, size), 0);
	while (js_next(&r, &t) != JS_END && t.kind != JS_BAD) {
		wm_assert(++tokens <= size + 1 && r.depth <= JS_DEPTH_MAX && r.ptr <= r.end);
		if (t.has_key)
			wm_assert(js_unescape(&a, t.key, t.key_escaped).len <= t.key.len);
		if (t.kind == JS_STRING)
			wm_assert(js_unescape(&a, t.text, t.text_escaped).len <= t.text.len);
	}
	wm_assert((t.kind == JS_BAD) == (r.why != NULL));
	arena_release(&a);
	return 0;
}
