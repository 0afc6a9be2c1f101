/*
 * Regular expressions of connector files. They are written for Java; PCRE2 understands the same syntax for everything that topic and table
 * patterns use. Matching is bounded (a pattern that backtracks without end does not match, it does not hang). A compiled pattern may be
 * used by any number of threads.
 */
#ifndef WALMILL_CAPTURE_REGEX_H
#define WALMILL_CAPTURE_REGEX_H

#include "base/arena.h"
#include "base/err.h"

struct regex;

/* One pattern that must match the whole subject. */
int regex_compile(struct view pattern, bool ignore_case, struct regex **ret, struct err *err) WM_MUST_USE;

/* A comma separated list of such patterns (a comma may be escaped by a backslash), any of which may match; blanks around them are
 * dropped. */
int regex_compile_list(struct view patterns, bool ignore_case, struct regex **ret, struct err *err) WM_MUST_USE;
void regex_free(struct regex *r);

bool regex_matches(const struct regex *r, struct view subject);

/* Java's Matcher.replaceFirst for a pattern that matches the whole subject: $1, ${name}, \x. *ret = the subject itself when it does not
 * match. */
int regex_replace(
	const struct regex *r, struct view subject, struct view replacement, struct arena *a, struct view *ret, struct err *err) WM_MUST_USE;

#endif
