/* What the date and time files share; nobody else includes this. */
#ifndef WALMILL_MODEL_DATETIME_INT_H
#define WALMILL_MODEL_DATETIME_INT_H

#include "base/calendar.h"
#include "model/datetime.h"

int dt_error(struct err *err, const char *sqlstate, const char *text);

#endif
