/* Files of src/api/docs, compiled in by tools/embed.py: the page that shows the API's description, and the schemas in it. */
#ifndef WALMILL_API_DOCS_H
#define WALMILL_API_DOCS_H

#include "base/bytes.h"

extern const struct view docs_html, docs_css, docs_js;
extern const struct view schemas_json; /* an object: JSON Schema by name */

#endif
