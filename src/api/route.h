/* A face as a table: method, path, what answers. For the families whose paths hold names (Connect's, the JobManager's). */
#ifndef WALMILL_API_ROUTE_H
#define WALMILL_API_ROUTE_H

#include "api/api.h"

enum { ROUTE_SEGMENTS = 12, ROUTE_ARGS = 4 };

/* One request on its way; args are the segments that stand at the pattern's {}, in the arena. */
struct call {
	const struct api *api;
	const struct http_request *r;
	struct http_response *out;
	struct arena arena;
	struct view args[ROUTE_ARGS];
	const char *allowed;               /* ROUTE_NO_METHOD: the path's methods, "GET, HEAD, PUT" */
};

struct route {
	const char *method, *pattern;      /* "/connectors/{}/config"; what is in the braces is a name for the description */
	void (*fn)(struct call *c);
	bool json;                         /* takes a JSON body and no other type */
};

enum route_found {
	ROUTE_ANSWERED,
	ROUTE_NO_PATH,
	ROUTE_NO_METHOD,                   /* the header Allow says `allowed` */
	ROUTE_NO_TYPE,                     /* the body is not what the route takes */
};

/* HEAD is answered as GET is. Calls the route's function, or says why not; c's arena is the caller's to release. */
enum route_found route_run(const struct route *routes, unsigned n, struct call *c);

#endif
