/* The application's REST. Private to app*.c, refresh.c and openapi.c. */
#ifndef WALMILL_API_APP_H
#define WALMILL_API_APP_H

#include "api/problem.h"
#include "api/route.h"

/* What the description says of a route. */
struct app_doc {
	const char *name; /* operationId, as generators name functions; NULL: nothing is said of this route */
	const char *summary;
	const char *query; /* "page:integer size:integer status:Status", or NULL */
	const char *request; /* schema, or NULL */
	const char *response; /* schema of the success, "[Schema]" for a list, a media type that is not JSON, or NULL for no body */
	unsigned status; /* of the success */
	const char *others; /* "400 404" */
};

extern const struct route app_routes[];
extern const struct app_doc app_docs[]; /* of the same places */
extern const unsigned n_app_routes;

void app_openapi(struct call *c);
void app_docs_page(struct call *c);
void app_docs_style(struct call *c);
void app_docs_script(struct call *c);

/* Who asks. There is no sign-in yet: whoever reaches the listener, which is on this machine only, may do everything. */
enum app_role { APP_TECH, APP_DISPATCHER, APP_ADMIN };
enum app_role app_caller(const struct call *c);

/* ---- refresh.c: compare and repair, in the background ---- */

struct refreshes;
struct refreshes *refreshes_new(void);
void refreshes_free(struct refreshes *r); /* waits for one that runs; NULL is fine */
void app_refresh_begin(struct call *c);
void app_refresh_show(struct call *c);

#endif
