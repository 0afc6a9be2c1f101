/*
 * The job file splitter and the parse-tree reader. First byte: even, the rest is a job file; odd, it is JSON for the tree reader.
 * Statements that the splitter returns lie within the
 * file and in order; a tree that was read can be walked.
 */
#include "fuzz.h"
#include "sql/sql.h"
#include "sql/tree.h"

static size_t walk(const struct tree *t)
{
	size_t n = 1;

	TREE_EACH(c, t)
		n += walk(c);
	return n;
}

static void split(struct view file)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct sql_part *parts;
	uint32_t n, end = 0;

	if (sql_split(file, &a, &parts, &n, &err) == 0) {
		for (uint32_t i = 0; i < n; i++) {
			wm_assert(parts[i].pos >= end && parts[i].pos + parts[i].len <= file.len && parts[i].len > 0);
			end = parts[i].pos + parts[i].len;
			if (parts[i].is_set)
				wm_assert(parts[i].name && parts[i].value);
			else
				wm_assert(parts[i].table && parts[i].select_pos > parts[i].pos && parts[i].select_pos + parts[i].select_len <= end);
		}
	} else {
		wm_assert(err.text[0]);
	}
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct tree *t;

	if (!size)
		return 0;
	if (data[0] % 2 == 0) {
		split(view_of(data + 1, size - 1));
		return 0;
	}
	if (tree_read(view_of(data + 1, size - 1), &a, &t, &err) == 0) {
		wm_assert(walk(t) <= size);
		tree_int(t, "location", 0);
		tree_str(t, "name");
	}
	arena_release(&a);
	return 0;
}
