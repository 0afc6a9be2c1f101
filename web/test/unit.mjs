/*
 * Tests of what needs no browser: folding of the stream, changes in messages, CSV, texts, sizes. node --test test/unit.mjs
 * TypeScript is bundled by esbuild on the way, so that Node.js 18 will do.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { BUDGETS, sizes } from "../sizes.mjs";

const web = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");

/* what of the browser the modules touch when they are loaded */
const listeners = { addEventListener() {}, removeEventListener() {} };
Object.assign(globalThis, {
	window: globalThis,
	...listeners,
	document: { ...listeners, documentElement: { dataset: {}, lang: "" }, createElement: () => ({ style: {} }) },
	matchMedia: () => ({ matches: false, ...listeners }),
	localStorage: { getItem: () => null, setItem() {}, removeItem() {} },
});
const languages = { languages: ["en"], language: "en" };
Object.defineProperty(globalThis, "navigator", { value: languages, configurable: true });

let loads = 0;
/* each load is a module of its own, with the language of the moment */
async function load(file) {
	const out = await esbuild.build({
		entryPoints: [path.join(web, file)],
		bundle: true,
		write: false,
		format: "esm",
		jsx: "automatic",
		jsxImportSource: "preact",
		absWorkingDir: web,
	});
	const text = `${out.outputFiles[0].text}\n/* ${loads++} */`;
	return import(`data:text/javascript;base64,${Buffer.from(text).toString("base64")}`);
}

const { emptyTopic, fold, keyOfDelete, keyOfRow } = await load("src/lib/fold.ts");
const snapshot = (topic, rows) => ({ kind: "snapshot", data: { topic, rows } });
const delta = (topic, upsert, gone = []) => ({
	kind: "delta",
	data: { topic, upsert, delete: gone, committedAt: "2026-01-01T00:00:00Z" },
});
const rowsOf = (s) => [...s.rows.values()];

test("a delta before the first snapshot is dropped, for the snapshot has it", () => {
	const s = fold(emptyTopic(), delta("map", [{ interventionId: 1 }]));
	assert.equal(s.ready, false);
	assert.equal(s.rows.size, 0);
});

test("a snapshot replaces what was there", () => {
	let s = fold(emptyTopic(), snapshot("map", [{ interventionId: 1 }, { interventionId: 2 }]));
	s = fold(s, snapshot("map", [{ interventionId: 3 }]));
	assert.deepEqual(
		rowsOf(s).map((r) => r.interventionId),
		[3],
	);
	assert.equal(s.changed, null);
});

test("deltas insert, replace and delete by key, and say which keys they touched", () => {
	let s = fold(emptyTopic(), snapshot("map", [{ interventionId: 1, status: "A" }]));
	s = fold({ ...s, changed: new Set() }, delta("map", [{ interventionId: 1, status: "B" }, { interventionId: 2 }], []));
	s = fold(s, delta("map", [], [2, 99]));
	assert.deepEqual(rowsOf(s), [{ interventionId: 1, status: "B" }]);
	assert.deepEqual([...s.changed].sort(), ["1", "2", "99"]);
	assert.equal(s.committedAt, "2026-01-01T00:00:00Z");
});

test("a row that a delta deletes and inserts again in one message is gone: delete is applied after upsert", () => {
	let s = fold(emptyTopic(), snapshot("load", [{ technicianId: 1 }]));
	s = fold(s, delta("load", [{ technicianId: 1, openCount: 2 }], [1]));
	assert.equal(s.rows.size, 0);
});

test("keys of several columns are the same from a row and from a delete", () => {
	const row = { date: "2026-11-26", status: "COMPLETED", count: 1 };
	assert.equal(keyOfRow("daily", row), keyOfDelete(["2026-11-26", "COMPLETED"]));
	let s = fold(emptyTopic(), snapshot("daily", [row]));
	s = fold(s, delta("daily", [], [["2026-11-26", "COMPLETED"]]));
	assert.equal(s.rows.size, 0);
});

test("after a resync the rows stay on screen but no delta counts until the snapshot", () => {
	let s = fold(emptyTopic(), snapshot("map", [{ interventionId: 1 }]));
	s = fold(s, { kind: "resync", data: { topic: "map" } });
	assert.equal(s.ready, false);
	assert.equal(s.rows.size, 1);
	s = fold(s, delta("map", [{ interventionId: 2 }]));
	assert.equal(s.rows.size, 1);
	s = fold(s, snapshot("map", []));
	assert.equal(s.rows.size, 0);
	assert.equal(s.ready, true);
});

test("folding deltas gives what the last snapshot would", () => {
	const truth = new Map();
	let s = fold(emptyTopic(), snapshot("map", []));
	let seed = 7;
	const random = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
	for (let i = 0; i < 3000; i++) {
		const id = random(50);
		if (random(3)) {
			const row = { interventionId: id, status: random(4) };
			truth.set(String(id), row);
			s = fold(s, delta("map", [row]));
		} else {
			truth.delete(String(id));
			s = fold(s, delta("map", [], [id]));
		}
	}
	assert.deepEqual(Object.fromEntries(s.rows), Object.fromEntries(truth));
});

const { changeOf, diff } = await load("src/console/event.ts");

test("Debezium's envelope, with and without schema, is a change", () => {
	const payload = { op: "u", before: { id: 1, a: "x" }, after: { id: 1, a: "y" }, source: {} };
	for (const v of [payload, { schema: {}, payload }]) {
		const c = changeOf(JSON.stringify(v));
		assert.equal(c.op, "u");
		assert.deepEqual(
			diff(c).map((d) => [d.name, d.changed]),
			[
				["id", false],
				["a", true],
			],
		);
	}
});

test("flattened rows are changes, and deleted ones show what was", () => {
	const c = changeOf(JSON.stringify({ id: 1, __op: "d", __deleted: "true" }));
	assert.deepEqual([c.op, c.before, c.after], ["d", { id: 1 }, null]);
	assert.equal(changeOf(JSON.stringify({ id: 1, __op: "c", __deleted: "false" })).after.id, 1);
});

test("other values are no change", () => {
	for (const v of [null, "", "text", "[1]", "1", '{"a":1}', { base64: "AA==" }]) assert.equal(changeOf(v), null);
});

const { csv } = await load("src/ui/table.tsx");

test("CSV quotes what RFC 4180 says, and defuses formulas", () => {
	const columns = [
		{ name: "a", value: (r) => r.a },
		{ name: 'b"', value: (r) => r.b },
	];
	assert.equal(
		csv(
			[
				{ a: 'x,"y"\n', b: "=1+1" },
				{ a: -5, b: null },
			],
			columns,
		),
		'a,"b"""\r\n"x,""y""\n",\'=1+1\r\n-5,\r\n',
	);
});

const { en } = await load("src/i18n/en.ts");
const { fr } = await load("src/i18n/fr.ts");

function leaves(o, at = "") {
	return Object.entries(o).flatMap(([k, v]) => (typeof v === "object" ? leaves(v, `${at}${k}.`) : [[`${at}${k}`, v]]));
}

test("French has every text, of the same kind, and none is empty", () => {
	const other = new Map(leaves(fr));
	for (const [key, text] of leaves(en)) {
		assert.equal(typeof other.get(key), typeof text, key);
		if (typeof text === "string") assert.ok(other.get(key).trim(), key);
		else assert.equal(other.get(key).length, text.length, key);
	}
	assert.equal(other.size, leaves(en).length);
});

test("what is plain text in both languages is translated, but for words that are the same", () => {
	const same = leaves(en).filter(([key, v]) => typeof v === "string" && v.length > 14 && new Map(leaves(fr)).get(key) === v);
	assert.deepEqual(
		same.map(([k]) => k).filter((k) => !/attribution/.test(k)),
		[],
	);
});

test("numbers, plurals and durations follow the language", async () => {
	languages.languages = ["fr-FR"];
	const f = await load("src/lib/format.ts");
	assert.equal(f.num(1234.5, 1).replace(/\s/g, " "), "1 234,5");
	assert.match(f.percent(0.1234), /^12,3\s%$/);
	assert.equal(f.plural(0, "ligne", "lignes").replace(/\s/g, " "), "0 ligne");
	assert.equal(f.plural(2, "ligne", "lignes").replace(/\s/g, " "), "2 lignes");
	assert.match(f.bytes(1536), /^1,5\sKio$/);
	languages.languages = ["en"];
	const e = await load("src/lib/format.ts");
	assert.equal(e.plural(0, "row", "rows").replace(/\s/g, " "), "0 rows");
	assert.equal(e.duration(3725).replace(/\s/g, " "), "1 h 02 min");
	assert.equal(e.duration(7 * 86400).replace(/\s/g, " "), "7 d");
	assert.equal(e.duration(3 * 86400 + 4 * 3600).replace(/\s/g, " "), "3 d 4 h");
	assert.equal(e.addDays("2026-03-01", -1), "2026-02-28");
});

test("a date field is read and written in the viewer's zone, also where clocks change", async () => {
	const storage = globalThis.localStorage;
	try {
		for (const [zone, at, field] of [
			["UTC", "2026-11-26T14:05:00Z", "2026-11-26T14:05"],
			["Asia/Tokyo", "2026-11-26T14:05:00Z", "2026-11-26T23:05"],
			["America/New_York", "2026-03-08T06:59:00Z", "2026-03-08T01:59"],
			["America/New_York", "2026-03-08T07:01:00Z", "2026-03-08T03:01"],
			["America/New_York", "2026-11-01T07:30:00Z", "2026-11-01T02:30"],
			["Asia/Kolkata", "2026-01-01T00:00:00Z", "2026-01-01T05:30"],
		]) {
			globalThis.localStorage = { ...storage, getItem: (k) => (k === "walmill.zone" ? zone : null) };
			const f = await load("src/lib/format.ts");
			assert.equal(f.fieldOf(Date.parse(at)), field, `${at} in ${zone}`);
			assert.equal(f.instantOf(field), Date.parse(at), `${field} in ${zone}`);
			assert.ok(Number.isNaN(f.instantOf("")), "nothing is no date");
		}
	} finally {
		globalThis.localStorage = storage;
	}
});

const built = path.join(web, "../build/web");

test("the events of a stream that has ended are its messages; what is not one is left out", async () => {
	const { eventsOf, earlyRows } = await load("src/lib/early.ts");
	const text =
		'retry: 1000\n\nevent: snapshot\ndata: {"topic":"load","rows":[]}\n\n: a comment\n\nevent: snapshot\nid: 1-2.0.0\n' +
		'data: {"topic":"daily","rows":[{"date":"2026-01-01"}]}\n\n';
	assert.deepEqual(eventsOf(text), [
		{ kind: "snapshot", data: { topic: "load", rows: [] } },
		{ kind: "snapshot", data: { topic: "daily", rows: [{ date: "2026-01-01" }] } },
	]);
	assert.deepEqual(await earlyRows, [], "a document that asked for nothing");
});

test("sizes keep their budgets", { skip: !existsSync(built) }, () => {
	const found = sizes(built, JSON.parse(readFileSync(path.join(built, "manifest.json"), "utf8")));
	for (const [name, kib] of Object.entries(found))
		assert.ok(kib <= BUDGETS[name], `${name}: ${kib.toFixed(1)} KiB of ${BUDGETS[name]}`);
});

test("the lock file names no registry", () => {
	assert.doesNotMatch(readFileSync(path.join(web, "package-lock.json"), "utf8"), /"resolved"/);
});
