/* What /metrics answers; see metrics.c. */
#ifndef WALMILL_API_METRICS_H
#define WALMILL_API_METRICS_H

#include "api/api.h"

void metrics_serve(const struct api *api, struct http_response *out);

#endif
