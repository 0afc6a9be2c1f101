/* Ordered multisets; see ordered.h. */
#include "flow/ordered.h"

#include "base/map.h"
#include "base/mem.h"

struct ordered_node {
	struct ordered_node *left, *right;
	uint64_t priority;
	int64_t weight;
	struct arena memory;    /* big numerics of the value */
	struct value value;
	size_t size;
	uint8_t bytes[];        /* the value's stored form, which its text points into */
};

static struct ordered_node *node_new(const struct value *v, int64_t weight)
{
	struct buf b = BUF_INIT((size_t)1 << 31);
	struct ordered_node *n;
	struct reader r;
	struct err err = ERR_INIT;
	static uint64_t seed;

	value_store(&b, v);
	n = mem_zalloc(sizeof(*n) + b.len);
	memcpy(n->bytes, b.ptr, b.len);
	n->size = mem_footprint(sizeof(*n) + b.len);
	n->memory = ARENA_INIT;
	r = reader_of(view_of(n->bytes, b.len));
	wm_assert(value_load(&r, &n->memory, &n->value, &err) == 0);
	n->priority = hash_u64(__atomic_add_fetch(&seed, 0x9e3779b97f4a7c15u, __ATOMIC_RELAXED));
	n->weight = weight;
	buf_release(&b);
	return n;
}

static void node_free(struct ordered_node *n)
{
	arena_release(&n->memory);
	mem_free(n);
}

static struct ordered_node *rotate_right(struct ordered_node *n)
{
	struct ordered_node *l = n->left;

	n->left = l->right;
	l->right = n;
	return l;
}

static struct ordered_node *rotate_left(struct ordered_node *n)
{
	struct ordered_node *r = n->right;

	n->right = r->left;
	r->left = n;
	return r;
}

static struct ordered_node *sink(struct ordered *o, struct ordered_node *n)
{
	struct ordered_node *up;

	if (!n->left || !n->right) {
		up = n->left ? n->left : n->right;
		o->bytes -= n->size;
		node_free(n);
		return up;
	}
	if (n->left->priority > n->right->priority) {
		up = rotate_right(n);
		up->right = sink(o, n);
	} else {
		up = rotate_left(n);
		up->left = sink(o, n);
	}
	return up;
}

static struct ordered_node *add(struct ordered *o, struct ordered_node *n, const struct value *v, int64_t weight)
{
	int c;

	if (!n) {
		n = node_new(v, weight);
		o->bytes += n->size;
		return n;
	}
	c = value_cmp(v, &n->value);
	if (c == 0) {
		n->weight += weight;
		return n->weight == 0 ? sink(o, n) : n;
	}
	if (c < 0) {
		n->left = add(o, n->left, v, weight);
		return n->left && n->left->priority > n->priority ? rotate_right(n) : n;
	}
	n->right = add(o, n->right, v, weight);
	return n->right && n->right->priority > n->priority ? rotate_left(n) : n;
}

void ordered_add(struct ordered *o, const struct value *v, int64_t weight)
{
	o->root = add(o, o->root, v, weight);
}

const struct value *ordered_end(const struct ordered *o, bool largest)
{
	struct ordered_node *n = o->root;

	while (n && (largest ? n->right : n->left))
		n = largest ? n->right : n->left;
	return n ? &n->value : NULL;
}

void ordered_release(struct ordered *o)
{
	/* takes the root out until nothing is left: no recursion deeper than the tree */
	while (o->root)
		o->root = sink(o, o->root);
}
