/* The application's API described in OpenAPI 3.1, made from one table; and a page that shows it. */
#include <stdio.h>

#include "api/app.h"
#include "base/js.h"

const struct app_doc app_docs[] = {
	{"GET", "/api/interventions", "Interventions, a page at a time",
		"page:integer size:integer sort:string query:string status:Status assignmentMode:Mode technicianId:integer plannedFrom:date-time "
		"plannedTo:date-time",
		NULL, "InterventionPage", 200, "400"},
	{"POST", "/api/interventions", "Plan an intervention", NULL, "NewIntervention", "Intervention", 201, "400 404 409 415"},
	{"POST", "/api/interventions/bulk", "Make or change many by their references, in one transaction", NULL, "Bulk", "BulkResult", 200,
		"400 413 415"},
	{"GET", "/api/interventions/{id}", "One intervention", NULL, NULL, "Intervention", 200, "404"},
	{"PUT", "/api/interventions/{id}", "Change it; If-Match refuses what was changed meanwhile", NULL, "ChangedIntervention",
		"Intervention", 200, "400 404 409 412 415"},
	{"DELETE", "/api/interventions/{id}", "Remove it", NULL, NULL, NULL, 204, "404"},
	{"POST", "/api/interventions/{id}/status", "The next step of its life", NULL, "StatusChange", "Intervention", 200, "400 404 409 415"},
	{"GET", "/api/users", "Users, a page at a time", "page:integer size:integer sort:string query:string role:Role", NULL, "UserPage", 200,
		"400"},
	{"GET", "/api/dashboard/summary", "Figures of a day", "date:date", NULL, "Summary", 200, "400"},
	{"GET", "/api/dashboard/status-trends", "Interventions by day and status", "from:date to:date", NULL, "[Trend]", 200, "400"},
	{"GET", "/api/dashboard/technician-load", "Open work by technician", NULL, NULL, "[Load]", 200, ""},
	{"GET", "/api/dashboard/map", "Places, newest change first", "status:string limit:integer", NULL, "[Place]", 200, "400"},
	{"GET", "/api/dashboard/ai/insights", "What a day's figures say", "date:date", NULL, "Insights", 200, "400"},
	{"GET", "/api/dashboard/ai/forecast", "Seven days to come", "date:date", NULL, "Forecast", 200, "400"},
	{"POST", "/api/dashboard/refresh", "Compare the tables with their SQL, and repair what differs", NULL, NULL, "RefreshStarted", 202,
		"409"},
	{"GET", "/api/dashboard/refreshes/{id}", "What came of it", NULL, NULL, "Refresh", 200, "404"},
	{"GET", "/api/health", "Whether the source answers", NULL, NULL, "Health", 200, "503"},
};
const unsigned n_app_docs = sizeof(app_docs) / sizeof(app_docs[0]);

#define S "{\"type\":\"string\"}"
#define SN "{\"type\":[\"string\",\"null\"]}"
#define T "{\"type\":\"string\",\"format\":\"date-time\"}"
#define TN "{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}"
#define D "{\"type\":\"string\",\"format\":\"date\"}"
#define I "{\"type\":\"integer\"}"
#define IN "{\"type\":[\"integer\",\"null\"]}"
#define N "{\"type\":\"number\"}"
#define NN "{\"type\":[\"number\",\"null\"]}"
#define B "{\"type\":\"boolean\"}"
#define REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"
#define LIST(of) "{\"type\":\"array\",\"items\":" of "}"
#define PAGE(of)                                                                                                                           \
	"{\"type\":\"object\",\"required\":[\"content\",\"page\",\"size\",\"totalElements\",\"totalPages\"],\"additionalProperties\":false,"   \
	"\"properties\":{\"content\":" LIST(of) ",\"page\":" I ",\"size\":" I ",\"totalElements\":" I ",\"totalPages\":" I "}}"
#define OBJECT(required, properties)                                                                                                       \
	"{\"type\":\"object\",\"required\":[" required "],\"additionalProperties\":false,\"properties\":{" properties "}}"
#define WRITABLE                                                                                                                           \
	"\"title\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":160},\"description\":{\"type\":[\"string\",\"null\"],\"maxLength\":"     \
	"4000},"                                                                                                                               \
	"\"plannedAt\":" T                                                                                                                     \
	",\"assignmentMode\":" REF("Mode") ",\"technicianId\":" IN ",\"latitude\":{\"type\":[\"number\",\"null\"],\"minimum\":-90,"            \
									   "\"maximum\":90},\"longitude\":{\"type\":[\"number\",\"null\"],\"minimum\":-180,\"maximum\":180}"
#define REFERENCE "\"reference\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":50},"

static const char *const schemas[] = {
	"\"Status\":{\"type\":\"string\",\"enum\":[\"SCHEDULED\",\"IN_PROGRESS\",\"COMPLETED\",\"VALIDATED\"]}",
	"\"Mode\":{\"type\":\"string\",\"enum\":[\"AUTO\",\"MANUAL\"]}",
	"\"Role\":{\"type\":\"string\",\"enum\":[\"ADMIN\",\"DISPATCHER\",\"TECH\"]}",
	"\"NewIntervention\":" OBJECT("\"reference\",\"title\",\"plannedAt\",\"assignmentMode\"", REFERENCE WRITABLE),
	"\"ChangedIntervention\":" OBJECT("\"title\",\"plannedAt\",\"assignmentMode\"", WRITABLE),
	"\"StatusChange\":" OBJECT("\"status\"", "\"status\":" REF("Status")),
	"\"BulkItem\":" OBJECT("\"reference\",\"title\",\"plannedAt\"",
		REFERENCE WRITABLE ",\"technician\":{\"type\":[\"object\",\"null\"],\"required\":[\"email\",\"fullName\"],"
						   "\"additionalProperties\":false,\"properties\":{\"email\":" S ",\"fullName\":" S
						   "}},\"status\":" REF("Status") ",\"startedAt\":" TN ",\"completedAt\":" TN ",\"validatedAt\":" TN),
	"\"Bulk\":" OBJECT("\"items\"", "\"items\":{\"type\":\"array\",\"maxItems\":10000,\"items\":" REF("BulkItem") "}"),
	"\"Fault\":" OBJECT("\"pointer\",\"detail\"", "\"pointer\":" S ",\"detail\":" S),
	"\"BulkResult\":" OBJECT("\"created\",\"updated\",\"unchanged\",\"rejected\"",
		"\"created\":" I ",\"updated\":" I ",\"unchanged\":" I
		",\"rejected\":" LIST("{\"type\":\"object\",\"required\":[\"index\",\"errors\"],\"properties\":{\"index\":" I
							  ",\"errors\":" LIST(REF("Fault")) "}}")),
	"\"Intervention\":" OBJECT("\"id\",\"reference\",\"title\",\"description\",\"status\",\"assignmentMode\",\"plannedAt\",\"startedAt\","
							   "\"completedAt\",\"validatedAt\",\"createdAt\",\"updatedAt\",\"latitude\",\"longitude\",\"technician\"",
		"\"id\":" I ",\"reference\":" S ",\"title\":" S ",\"description\":" SN ",\"status\":" REF("Status") ",\"assignmentMode\":" REF(
			"Mode") ",\"plannedAt\":" T ",\"startedAt\":" TN ",\"completedAt\":" TN ",\"validatedAt\":" TN ",\"createdAt\":" T
					",\"updatedAt\":" T ",\"latitude\":" NN ",\"longitude\":" NN
					",\"technician\":{\"type\":[\"object\",\"null\"],\"required\":[\"id\",\"fullName\",\"email\"],\"properties\":{\"id\":" I
					",\"fullName\":" S ",\"email\":" S "}}"),
	"\"InterventionPage\":" PAGE(REF("Intervention")),
	"\"User\":" OBJECT("\"id\",\"email\",\"fullName\",\"role\",\"createdAt\"",
		"\"id\":" I ",\"email\":" S ",\"fullName\":" S ",\"role\":" REF("Role") ",\"createdAt\":" T),
	"\"UserPage\":" PAGE(REF("User")),
	"\"Summary\":" OBJECT("\"totalInterventions\",\"scheduledCount\",\"inProgressCount\",\"completedCount\",\"validatedCount\","
						  "\"averageCompletionSeconds\",\"validationRatio\",\"lastRefreshedAt\"",
		"\"totalInterventions\":" I ",\"scheduledCount\":" I ",\"inProgressCount\":" I ",\"completedCount\":" I ",\"validatedCount\":" I
		",\"averageCompletionSeconds\":" NN ",\"validationRatio\":" NN ",\"lastRefreshedAt\":" TN),
	"\"Trend\":" OBJECT("\"date\",\"status\",\"count\"", "\"date\":" D ",\"status\":" REF("Status") ",\"count\":" I),
	"\"Load\":" OBJECT(
		"\"technicianId\",\"technicianName\",\"technicianEmail\",\"openCount\",\"completedToday\",\"averageCompletionSeconds\","
		"\"lastRefreshedAt\"",
		"\"technicianId\":" I ",\"technicianName\":" SN ",\"technicianEmail\":" SN ",\"openCount\":" I ",\"completedToday\":" I
		",\"averageCompletionSeconds\":" NN ",\"lastRefreshedAt\":" TN),
	"\"Place\":" OBJECT("\"interventionId\",\"latitude\",\"longitude\",\"status\",\"technicianId\",\"plannedAt\",\"updatedAt\"",
		"\"interventionId\":" I ",\"latitude\":" N ",\"longitude\":" N
		",\"status\":" REF("Status") ",\"technicianId\":" IN ",\"plannedAt\":" T ",\"updatedAt\":" T),
	"\"Insights\":" OBJECT("\"date\",\"headline\",\"trendDirection\",\"trendPercentage\",\"validationRate\",\"validationAssessment\","
						   "\"slaAssessment\",\"highlights\"",
		"\"date\":" D ",\"headline\":" S ",\"trendDirection\":{\"type\":\"string\",\"enum\":[\"UP\",\"DOWN\","
		"\"FLAT\"]},\"trendPercentage\":" NN ",\"validationRate\":" NN ",\"validationAssessment\":" S ",\"slaAssessment\":" S
		",\"highlights\":" LIST(S)),
	"\"Forecast\":" OBJECT("\"generatedAt\",\"method\",\"smoothingFactor\",\"lastObservedCount\",\"baselineAverage\",\"points\"",
		"\"generatedAt\":" T ",\"method\":" S ",\"smoothingFactor\":" N ",\"lastObservedCount\":" N ",\"baselineAverage\":" N
		",\"points\":" LIST(
			"{\"type\":\"object\",\"required\":[\"date\",\"predictedCount\"],\"properties\":{\"date\":" D ",\"predictedCount\":" I "}}")),
	"\"RefreshStarted\":" OBJECT("\"id\"", "\"id\":" S),
	"\"Refresh\":" OBJECT("\"id\",\"state\",\"rowsDiffered\",\"jobs\"",
		"\"id\":" S ",\"state\":{\"type\":\"string\",\"enum\":[\"RUNNING\",\"DONE\","
		"\"FAILED\"]},\"rowsDiffered\":" I
		",\"jobs\":" LIST("{\"type\":\"object\",\"required\":[\"job\",\"compared\",\"rows\",\"differed\","
						  "\"repaired\",\"tables\",\"error\"],\"properties\":{\"job\":" S ",\"compared\":" B ",\"rows\":" I
						  ",\"differed\":" I ",\"repaired\":" B ",\"tables\":" LIST(
							  "{\"type\":\"object\",\"required\":[\"table\",\"rows\","
							  "\"differed\"],\"properties\":{\"table\":" S ",\"rows\":" I ",\"differed\":" I "}}") ",\"error\":" SN "}}")),
	"\"Health\":" OBJECT("\"status\",\"db\"", "\"status\":" S ",\"db\":" I),
	"\"Problem\":{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"detail\",\"instance\",\"requestId\"],\"properties\":{"
	"\"type\":" S ",\"title\":" S ",\"status\":" I ",\"detail\":" S ",\"instance\":" S ",\"requestId\":" S
	",\"errors\":" LIST(REF("Fault")) "}}",
};

static void put_ref(struct buf *b, const char *schema)
{
	if (*schema == '[')
		buf_printf(b, "{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/%.*s\"}}", (int)strlen(schema) - 2, schema + 1);
	else
		buf_printf(b, "{\"$ref\":\"#/components/schemas/%s\"}", schema);
}

static void put_type(struct buf *b, const char *type, int n)
{
	if (strncmp(type, "integer", 7) == 0 || strncmp(type, "string", 6) == 0)
		buf_printf(b, "{\"type\":\"%.*s\"}", n, type);
	else if (strncmp(type, "date", 4) == 0)
		buf_printf(b, "{\"type\":\"string\",\"format\":\"%.*s\"}", n, type);
	else
		buf_printf(b, "{\"$ref\":\"#/components/schemas/%.*s\"}", n, type);
}

static void put_parameters(struct buf *b, const struct app_doc *d)
{
	const char *s = d->query ? d->query : "";

	buf_puts(b, ",\"parameters\":[");
	if (strstr(d->path, "{id}"))
		buf_puts(b, "{\"name\":\"id\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}}");
	while (*s) {
		int name = (int)strcspn(s, ":"), type = (int)strcspn(s + name + 1, " ");

		js_put_comma(b);
		buf_printf(b, "{\"name\":\"%.*s\",\"in\":\"query\",\"schema\":", name, s);
		put_type(b, s + name + 1, type);
		buf_putc(b, '}');
		s += name + 1 + type;
		s += *s == ' ';
	}
	buf_putc(b, ']');
}

static void put_operation(struct buf *b, const struct app_doc *d)
{
	const char *s;

	buf_printf(b, "\"%s\":{\"summary\":\"%s\"",
		strcmp(d->method, "GET") == 0        ? "get"
			: strcmp(d->method, "POST") == 0 ? "post"
			: strcmp(d->method, "PUT") == 0  ? "put"
											 : "delete",
		d->summary);
	put_parameters(b, d);
	if (d->request) {
		buf_puts(b, ",\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":");
		put_ref(b, d->request);
		buf_puts(b, "}}}");
	}
	buf_printf(b, ",\"responses\":{\"%u\":{\"description\":\"%s\"", d->status, d->response ? "the result" : "done");
	if (d->response) {
		buf_puts(b, ",\"content\":{\"application/json\":{\"schema\":");
		put_ref(b, d->response);
		buf_puts(b, "}}");
	}
	buf_putc(b, '}');
	for (s = d->others; *s; s += s[3] ? 4 : 3)
		buf_printf(b,
			",\"%.3s\":{\"description\":\"refused\",\"content\":{\"application/problem+json\":{\"schema\":{\"$ref\":"
			"\"#/components/schemas/Problem\"}}}}",
			s);
	buf_puts(b, "}}");
}

void app_openapi(struct call *c)
{
	struct buf *b = &c->out->body;
	unsigned i, k;

	buf_printf(b, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"walmill demonstration application\",\"version\":\"%s\"},\"paths\":{",
		c->api->version);
	for (i = 0; i < n_app_docs; i++) {
		for (k = 0; k < i && strcmp(app_docs[k].path, app_docs[i].path) != 0; k++)
			;
		if (k < i)
			continue; /* with its first method */
		js_put_key(b, app_docs[i].path);
		buf_putc(b, '{');
		for (k = i; k < n_app_docs; k++)
			if (strcmp(app_docs[k].path, app_docs[i].path) == 0) {
				js_put_comma(b);
				put_operation(b, &app_docs[k]);
			}
		buf_putc(b, '}');
	}
	buf_puts(b, "},\"components\":{\"schemas\":{");
	for (i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
		js_put_comma(b);
		buf_puts(b, schemas[i]);
	}
	buf_puts(b, "}}}");
	c->out->status = 200;
}

/* ---- the page ---- */

void app_docs_page(struct call *c)
{
	c->out->status = 200;
	c->out->content_type = "text/html; charset=utf-8";
	http_header_add(
		c->out, "Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'");
	buf_puts(&c->out->body,
		"<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>walmill "
		"API</title>"
		"<style>:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{max-width:60rem;margin:2rem auto;padding:0 1rem}"
		"h2{font-size:1rem;margin:1.5rem 0 .25rem}code,pre{font:.875rem/1.4 ui-monospace,monospace}b{display:inline-block;min-width:4rem}"
		"pre{overflow:auto;padding:.75rem;background:light-dark(#f3f4f6,#1f2937);border-radius:.5rem}p{margin:.25rem 0}</style>"
		"<main><h1>walmill: the demonstration application's API</h1><p>As a document: <a href=\"/api/openapi.json\">/api/openapi.json</a> "
		"(OpenAPI 3.1). "
		"Live: <code>/api/stream?topics=daily,load,map,freshness</code> (server-sent events).</p><div id=\"paths\" "
		"aria-live=\"polite\"></div></main>"
		"<script src=\"/api/docs.js\"></script></html>");
}

void app_docs_script(struct call *c)
{
	c->out->status = 200;
	c->out->content_type = "text/javascript; charset=utf-8";
	buf_puts(&c->out->body,
		"'use strict';\nconst add = (to, tag, text) => to.appendChild(Object.assign(document.createElement(tag), {textContent: text || "
		"''}));\n"
		"fetch('/api/openapi.json').then((r) => r.json()).then((api) => {\n"
		"  const out = document.getElementById('paths');\n"
		"  for (const [path, methods] of Object.entries(api.paths)) for (const [method, op] of Object.entries(methods)) {\n"
		"    const h = add(out, 'h2');\n    add(h, 'b', method.toUpperCase());\n    add(h, 'code', path);\n    add(out, 'p', op.summary);\n"
		"    if (op.parameters.length) add(out, 'p', 'Parameters: ' + op.parameters.map((p) => p.name).join(', '));\n"
		"    if (op.requestBody) add(out, 'p', 'Body: ' + op.requestBody.content['application/json'].schema['$ref'].split('/').pop());\n"
		"    add(out, 'p', 'Answers: ' + Object.keys(op.responses).join(', '));\n  }\n"
		"  add(out, 'h1', 'Schemas');\n"
		"  for (const [name, schema] of Object.entries(api.components.schemas)) {\n"
		"    add(out, 'h2', name);\n    add(out, 'pre', JSON.stringify(schema, null, 2));\n  }\n});\n");
}
