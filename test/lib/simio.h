/*
 * A machine in memory behind `struct io`: files, directory, clock and randomness under a seed, which can lose what was not synced.
 *
 * What a crash does (simio_crash), each choice by the seed:
 *   - of every write since the file's last sync, each 512-byte sector is kept or lost by itself, over all files, in no order;
 *   - of every change of a file's size since then, it is kept or lost;
 *   - of every new name, rename and removal since the directory's last sync, it is kept or lost by itself.
 * So nothing is promised that fdatasync and fsync of the directory do not promise, and the real kernel is kinder than this.
 *
 * Faults: the n-th call fails (simio_fail_at), a failed sync leaves its pages in memory but clean, so that a later sync succeeds without
 * them; from the n-th changing call on nothing happens any more (simio_crash_at), as after a power cut; the disk has a size.
 * One thread. Paths are compared as they are given; there is one level of directories.
 */
#ifndef WALMILL_TEST_SIMIO_H
#define WALMILL_TEST_SIMIO_H

#include "base/io.h"

struct simio;

struct simio *simio_new(uint64_t seed);
void simio_free(struct simio *s);
struct io *simio_io(struct simio *s);

uint64_t simio_changes(struct simio *s);                   /* changing calls so far: create, write, sync, truncate, ... */
uint64_t simio_calls(struct simio *s);                     /* all calls on files so far */
void simio_crash_at(struct simio *s, uint64_t changes);    /* the machine stops at that call (which may half happen); 0: never */
bool simio_stopped(struct simio *s);
void simio_fail_at(struct simio *s, uint64_t calls, int num); /* that call fails with this errno; 0: none */
void simio_fail_next(struct simio *s, const char *what, int num); /* the next call of this kind ("sync", "write", "allocate", ...) */
void simio_lie_about_sync(struct simio *s, bool lie);      /* sync does nothing and says that it did */
void simio_crash(struct simio *s);                         /* files as a crash now leaves them; clears stop and faults; handles are void */
void simio_set_capacity(struct simio *s, uint64_t bytes);
uint64_t simio_used(struct simio *s);                       /* bytes of all files */
void simio_advance_us(struct simio *s, int64_t us);

uint64_t simio_random(struct simio *s);                    /* the seed's stream, for tests that want to share it */

/* The file's bytes as they are now, to look at or to damage (memory and disk alike: call simio_settle first); NULL when it is not there. */
uint8_t *simio_file(struct simio *s, const char *path, size_t *ret_len);
void simio_settle(struct simio *s);                        /* everything reaches the disk */
void simio_put(struct simio *s, const char *path, const void *ptr, size_t len); /* makes the file so, on the disk too */
void simio_remove(struct simio *s, const char *path);
const char *simio_name(struct simio *s, unsigned i);       /* the i-th path, in order; NULL behind the last */

#endif
