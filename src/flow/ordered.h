/*
 * An ordered multiset of values with retraction: what min and max keep. A treap (R. Seidel, C. Aragon, "Randomized Search Trees", 1996) by
 * value_cmp: adding, taking away and both ends in O(log n) distinct values, no rescans. One thread.
 */
#ifndef WALMILL_FLOW_ORDERED_H
#define WALMILL_FLOW_ORDERED_H

#include "model/value.h"

struct ordered_node;

struct ordered {
	struct ordered_node *root;
	size_t bytes;
};

/* weight may be negative; what was added must have been there to be taken away. The value is copied. */
void ordered_add(struct ordered *o, const struct value *v, int64_t weight);
/* The smallest or largest value, or NULL when it is empty; valid until the next add. */
const struct value *ordered_end(const struct ordered *o, bool largest);
void ordered_release(struct ordered *o);

#endif
