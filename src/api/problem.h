/* Errors of walmill's own REST (RFC 9457, application/problem+json) on the application's and the console's listener. */
#ifndef WALMILL_API_PROBLEM_H
#define WALMILL_API_PROBLEM_H

#include "api/route.h"
#include "app/app.h"

/* faults may be NULL. The answer's status and body; a request id in both body and header. */
void problem_set(const struct api *api, const struct http_request *r, struct http_response *out, unsigned status,
	const struct app_faults *faults, const char *detail);
/* The status follows the error's code. */
void problem_of(
	const struct api *api, const struct http_request *r, struct http_response *out, const struct err *err, const struct app_faults *faults);

/* The same for who has a sentence to say. */
void problem_say(struct call *c, unsigned status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Calls the route's function, or answers what none of them does. */
void problem_route(const struct route *routes, unsigned n, struct call *c);

#endif
