"use strict";
/* Shows /api/openapi.json, and sends what the reader wants to try. Text goes to the page as text. */

function el(tag, props, ...children) {
	const e = Object.assign(document.createElement(tag), props);
	e.append(...children.filter((c) => c !== null && c !== undefined));
	return e;
}

const nameOf = (schema) => schema.$ref.split("/").pop();

function typeText(schema) {
	if (schema.$ref) return nameOf(schema);
	if (schema.type === "array") return `${typeText(schema.items)}[]`;
	const types = [].concat(schema.type).join(" or ");
	return schema.format ? `${types} (${schema.format})` : types;
}

/* The type, as a link where it has a name of its own */
function typeNode(schema) {
	const named = schema.$ref ? schema : schema.type === "array" && schema.items.$ref ? schema.items : null;
	if (!named) return typeText(schema);
	const a = el("a", { href: `#schema-${nameOf(named)}`, textContent: typeText(schema) });
	a.addEventListener("click", () => (document.getElementById(`schema-${nameOf(named)}`).open = true));
	return a;
}

function bounds(s) {
	return [
		s.enum && s.enum.join(", "),
		s.minLength !== undefined && `at least ${s.minLength} characters`,
		s.maxLength !== undefined && `at most ${s.maxLength} characters`,
		s.minimum !== undefined && `${s.minimum} to ${s.maximum}`,
		s.maxItems !== undefined && `at most ${s.maxItems}`,
	]
		.filter(Boolean)
		.join("; ");
}

function table(heads, rows) {
	return el("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: heads.join(", ") },
		el("table", {},
			el("thead", {}, el("tr", {}, ...heads.map((h) => el("th", { scope: "col", textContent: h })))),
			el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((cell) => el("td", {}, cell)))))));
}

const resolve = (api, s) => (s.$ref ? api.components.schemas[nameOf(s)] : s);

/* A value that the schema allows, to begin with */
function example(api, schema, name) {
	const s = resolve(api, schema);
	if (s.enum) return s.enum[0];
	const type = [].concat(s.type)[0];
	if (type === "object")
		return Object.fromEntries(Object.entries(s.properties ?? {})
			.filter(([k, v]) => (s.required ?? []).includes(k) || !/null/.test(String(v.type)))
			.map(([k, v]) => [k, example(api, v, k)]));
	if (type === "array") return [example(api, s.items, name)];
	if (type === "integer" || type === "number") return s.minimum > 0 ? s.minimum : 1;
	if (type === "boolean") return false;
	if (s.format === "date-time") return new Date().toISOString();
	if (s.format === "date") return new Date().toISOString().slice(0, 10);
	return name === "reference" ? `DOC-${Date.now().toString(36).toUpperCase()}` : `a ${name}`;
}

/* ---- one operation ---- */

function inputFor(api, p, id) {
	const s = resolve(api, p.schema);
	const common = { id, name: p.name, ariaLabel: p.name };
	if (!s.enum) return el("input", { ...common, autocomplete: "off", placeholder: p.required ? "needed" : "" });
	return el("select", common, el("option", { value: "", textContent: "any" }),
		...s.enum.map((v) => el("option", { value: v, textContent: v })));
}

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/* What is to be sent, as the fields are now */
function requestOf(path, method, params, inputs, body) {
	const query = new URLSearchParams(), headers = {};
	let url = path;
	params.forEach((p, i) => {
		const value = inputs[i].value;
		if (p.in === "path") url = url.replace(`{${p.name}}`, encodeURIComponent(value));
		else if (value && p.in === "header") headers[p.name] = value;
		else if (value) query.append(p.name, value);
	});
	if (body) headers["Content-Type"] = "application/json";
	const search = query.toString();
	return { url: search ? `${url}?${search}` : url, method: method.toUpperCase(), headers, body: body ? body.value : undefined };
}

function curl(r) {
	const headers = Object.entries(r.headers).map(([k, v]) => `-H ${quote(`${k}: ${v}`)}`);
	const parts = [r.method === "GET" ? "curl" : `curl -X ${r.method}`, ...headers];
	if (r.body !== undefined) parts.push(`-d ${quote(r.body)}`);
	return [...parts, quote(location.origin + r.url)].join(" \\\n  ");
}

async function send(r, status, out) {
	const began = performance.now();
	status.className = "status";
	status.textContent = "sent…";
	out.hidden = true;
	try {
		const answer = await fetch(r.url, { method: r.method, headers: r.headers, body: r.body });
		const text = await answer.text();
		const tag = answer.headers.get("ETag");
		status.className = `status ${answer.ok ? "good" : "bad"}`;
		const took = Math.round(performance.now() - began);
		status.textContent = `${answer.status} ${answer.statusText} in ${took} ms${tag ? `, ETag ${tag}` : ""}`;
		const json = text && /json/.test(answer.headers.get("Content-Type") ?? "");
		out.textContent = json ? JSON.stringify(JSON.parse(text), null, 2) : text;
		out.hidden = !text;
	} catch (e) {
		status.className = "status bad";
		status.textContent = `no answer: ${e.message}`;
	}
}

/* A stream of events: the newest are shown until it is stopped. */
function follow(r, button, status, out) {
	const events = [];
	const source = new EventSource(r.url);
	const show = (text) => {
		events.push(text.length > 2000 ? `${text.slice(0, 2000)}…` : text);
		if (events.length > 50) events.shift();
		out.textContent = events.join("\n\n");
		out.hidden = false;
		out.scrollTop = out.scrollHeight;
	};
	for (const kind of ["snapshot", "delta", "resync", "message"])
		source.addEventListener(kind, (e) => show(`${kind}  id ${e.lastEventId}\n${e.data}`));
	source.onopen = () => ((status.className = "status good"), (status.textContent = "open"));
	source.onerror = () => ((status.className = "status bad"), (status.textContent = "no connection"));
	button.textContent = "Stop";
	return () => {
		source.close();
		button.textContent = "Open";
		status.className = "status";
		status.textContent = "closed";
	};
}

function tryIt(api, path, method, op, params, inputs, body) {
	const live = Object.values(op.responses).some((r) => r.content?.["text/event-stream"]);
	const button = el("button", { type: "button", className: "send", textContent: live ? "Open" : "Send" });
	const copy = el("button", { type: "button", textContent: "Copy as curl" });
	const status = el("span", { className: "status", role: "status" });
	const out = el("pre", { hidden: true, tabIndex: 0, role: "group", ariaLabel: "Answer" });
	const request = () => requestOf(path, method, params, inputs, body);
	let stop = null;
	button.addEventListener("click", async () => {
		const empty = params.findIndex((p, i) => p.required && !inputs[i].value);
		if (empty >= 0) return inputs[empty].focus();
		if (live) return void (stop = stop ? stop() : follow(request(), button, status, out));
		button.disabled = true;
		await send(request(), status, out);
		button.disabled = false;
	});
	copy.addEventListener("click", () => {
		const text = curl(request());
		out.textContent = text;
		out.hidden = false;
		navigator.clipboard?.writeText(text).then(() => (status.textContent = "copied"), () => {});
	});
	return [el("div", { className: "actions" }, button, copy, status), out];
}

function operation(api, path, method, op) {
	const id = op.operationId, params = op.parameters;
	const inputs = params.map((p) => inputFor(api, p, `${id}-${p.name}`));
	const schema = op.requestBody?.content["application/json"].schema;
	const value = schema && JSON.stringify(example(api, schema, ""), null, 2);
	const body = schema && el("textarea", { spellcheck: false, ariaLabel: `Body of ${id}`, value });
	const answers = Object.entries(op.responses).map(([code, r]) => {
		const [type, content] = Object.entries(r.content ?? {})[0] ?? [];
		return [code, content ? (type === "text/event-stream" ? type : typeNode(content.schema)) : "no body", r.description];
	});
	const fields = params.map((p, i) => [p.name, p.in, typeNode(p.schema), inputs[i]]);
	if (path === "/api/stream") inputs[0].value = "daily,load,map,freshness";
	return el("details", { id: `op-${id}` },
		el("summary", {},
			el("span", { className: `method ${method}`, textContent: method.toUpperCase() }),
			el("span", { className: "path", textContent: path }),
			el("span", { className: "says", textContent: op.summary })),
		el("div", {},
			...(params.length ? [el("h3", { textContent: "Parameters" }), table(["Name", "In", "Type", "Value"], fields)] : []),
			body && el("h3", {}, "Body: ", typeNode(schema)),
			body,
			el("h3", { textContent: "Answers" }),
			table(["Status", "Body", "Meaning"], answers),
			...tryIt(api, path, method, op, params, inputs, body)));
}

/* ---- the page ---- */

function schemaDetails(name, schema) {
	const rows = Object.entries(schema.properties ?? {}).map(([k, v]) => [
		k, typeNode(v), (schema.required ?? []).includes(k) ? "always" : "may be absent", bounds(v)]);
	return el("details", { id: `schema-${name}` },
		el("summary", {}, el("span", { className: "path", textContent: name }),
			el("span", { className: "says", textContent: schema.enum ? schema.enum.join(", ") : rows.map((r) => r[0]).join(", ") })),
		el("div", {}, rows.length ? table(["Member", "Type", "Presence", "Bounds"], rows) : el("p", { textContent: bounds(schema) })));
}

function find(text) {
	const words = text.toLowerCase().split(/\s+/).filter(Boolean);
	for (const section of document.querySelectorAll("section")) {
		let any = false;
		for (const d of section.querySelectorAll("details")) {
			const says = d.querySelector("summary").textContent.toLowerCase();
			d.hidden = !words.every((w) => says.includes(w));
			any ||= !d.hidden;
		}
		section.hidden = !any;
	}
}

function section(title, items) {
	return el("section", {}, el("h2", { textContent: title }), ...items);
}

function show(api) {
	const groups = new Map();
	for (const [path, methods] of Object.entries(api.paths))
		for (const [method, op] of Object.entries(methods)) {
			const list = groups.get(op.tags[0]) ?? groups.set(op.tags[0], []).get(op.tags[0]);
			list.push(operation(api, path, method, op));
		}
	document.getElementById("version").textContent = `walmill ${api.info.version}`;
	main.replaceChildren(
		...[...groups].map(([tag, list]) => section(tag, list)),
		section("Schemas", Object.entries(api.components.schemas).map(([name, s]) => schemaDetails(name, s))));
	document.getElementById("find").addEventListener("input", (e) => find(e.target.value));
	const wanted = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
	if (wanted) {
		wanted.open = true;
		wanted.scrollIntoView();
	}
}

const main = document.getElementById("main");
fetch("/api/openapi.json")
	.then((r) => (r.ok ? r.json() : Promise.reject(new Error(`status ${r.status}`))))
	.then(show)
	.catch((e) => (main.textContent = `The description could not be read (${e.message}). Load the page again.`))
	.finally(() => main.removeAttribute("aria-busy"));
