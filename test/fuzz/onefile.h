/*
 * One read-only file in memory behind `struct io`, for fuzz targets whose code opens a path: every path names it. One thread; one at a
 * time.
 */
#ifndef WALMILL_TEST_ONEFILE_H
#define WALMILL_TEST_ONEFILE_H

#include "base/io.h"

/* The bytes are borrowed until the next call. */
struct io *onefile(struct view bytes);

#endif
