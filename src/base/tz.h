/*
 * Time zones: IANA zones from TZif files, fixed offsets and POSIX rules, between UTC and local time, as PostgreSQL reads them.
 *
 * Instants and local times are microseconds since 2000-01-01 00:00 (UTC, local), PostgreSQL's own. A `struct tz` is immutable once
 * opened: any thread may use it. Zones come from a `struct tz_cache`, which owns them until tz_cache_release().
 *
 * Names, as `SET timezone` takes them: an IANA name in any case ("europe/paris"), "UTC", a POSIX specification ("EST5EDT", "<+03>-3",
 * "CET-1CEST,M3.5.0,M10.5.0/3"; summer time without its rule is refused), and a number of hours east ("2", "-3.5"). An unknown name is
 * refused.
 *
 * Local times that do not exist (spring) or exist twice (autumn) get the instant that PostgreSQL's DetermineTimeZoneOffset() gives:
 * in the gap the offset before it holds on, in the fold it is the second of the two instants.
 */
#ifndef WALMILL_BASE_TZ_H
#define WALMILL_BASE_TZ_H

#include "base/err.h"
#include "base/io.h"

struct tz;
struct tz_cache;

#define TZ_NEVER INT64_MAX

struct tz_cache *tz_cache_new(struct io *io, const char *dir);   /* dir NULL: /usr/share/zoneinfo. Thread safe. */
void tz_cache_release(struct tz_cache *c);

/* The zone of that name; ERR_NOT_FOUND with the server's text (22023) for one that does not exist. Valid as long as the cache. */
const struct tz *tz_open(struct tz_cache *c, const char *name, struct err *err) WM_MUST_USE;
const struct tz *tz_fixed(struct tz_cache *c, int32_t seconds_east);    /* printed as <+02>-02 */
const struct tz *tz_utc(void);

const char *tz_name(const struct tz *z);                          /* canonical spelling */
int32_t tz_offset(const struct tz *z, int64_t utc_us);            /* seconds east of Greenwich at that instant */
int64_t tz_to_local(const struct tz *z, int64_t utc_us);
int64_t tz_to_utc(const struct tz *z, int64_t local_us);

/* The first instant after utc_us at which the offset changes; TZ_NEVER. */
int64_t tz_next_transition(const struct tz *z, int64_t utc_us);
/* The first instant after utc_us at which the local date is another one; days of 23 and 25 hours, and skipped days, included. */
int64_t tz_next_midnight(const struct tz *z, int64_t utc_us);
/* At least the largest change of offset, in seconds, at any transition after utc_us (0 for a fixed zone). */
int32_t tz_largest_jump(const struct tz *z, int64_t utc_us);

#endif
