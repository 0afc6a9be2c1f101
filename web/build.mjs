/*
 * Builds the pages: node build.mjs OUT [--check-only]. Writes hashed scripts and styles, their .gz and .br, the base layer of the map,
 * the two index pages and the licences of what is bundled. Fails when TypeScript objects or a budget is broken (sizes.mjs).
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import path from "node:path";
import * as esbuild from "esbuild";
import { baseLayer } from "./geo.mjs";
import { shell } from "./shell.mjs";
import { checkSizes } from "./sizes.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.resolve(process.argv[2] ?? path.join(here, "../build/web"));
const written = new Map();

function hashed(name, data) {
	const hash = createHash("sha256").update(data).digest("hex").slice(0, 8).toUpperCase();
	const file = name.replace(/(\.\w+)$/, `-${hash}$1`);
	written.set(file, Buffer.from(data));
	return `/${file}`;
}

function typecheck() {
	const tsc = spawnSync(process.execPath, [path.join(here, "node_modules/typescript/bin/tsc"), "-p", here], { stdio: "inherit" });
	if (tsc.status) process.exit(1);
}

const common = {
	bundle: true,
	minify: true,
	target: "es2022",
	write: false,
	absWorkingDir: here,
	legalComments: "none",
	logLevel: "warning",
	jsx: "automatic",
	jsxImportSource: "preact",
	external: ["*.png"],
};

async function one(file, options = {}) {
	const result = await esbuild.build({ ...common, entryPoints: [file], ...options });
	return result.outputFiles[0].contents;
}

/* Scripts of one page: [entry, chunks that the entry needs at once, all]. */
async function scripts(entry, define) {
	const result = await esbuild.build({
		...common,
		entryPoints: [entry],
		format: "esm",
		splitting: true,
		outdir: "/",
		define,
		entryNames: "[name]-[hash]",
		chunkNames: "[name]-[hash]",
		metafile: true,
	});
	for (const f of result.outputFiles) written.set(path.basename(f.path), Buffer.from(f.contents));
	const outputs = Object.entries(result.metafile.outputs);
	const name = (p) => `/${path.basename(p)}`;
	const [main, info] = outputs.find(([, o]) => o.entryPoint === entry);
	const closure = (of) => {
		const set = new Set();
		const walk = (p) => {
			for (const i of result.metafile.outputs[p].imports) {
				if (i.kind !== "import-statement" || set.has(i.path)) continue;
				set.add(i.path);
				walk(i.path);
			}
		};
		walk(of);
		return [...set];
	};
	/* scripts loaded on demand, each with what it needs, those of the second step after those of the first */
	const lazy = [];
	follow(info);
	function follow(o) {
		for (const { path: p } of o.imports.filter((i) => i.kind === "dynamic-import" && !lazy.includes(i.path))) {
			lazy.push(p);
			follow(result.metafile.outputs[p]);
		}
	}
	return { main: name(main), now: closure(main).map(name), lazy: lazy.map((p) => ({ file: name(p), with: closure(p).map(name) })) };
}

function licences() {
	const lines = ["The pages of walmill contain these packages and data.\n"];
	for (const pkg of [
		"preact",
		"@preact/signals",
		"@preact/signals-core",
		"uplot",
		"leaflet",
		"@dagrejs/dagre",
		"@dagrejs/graphlib",
		"topojson-client",
		"us-atlas",
		"world-atlas",
	]) {
		const dir = path.join(here, "node_modules", pkg);
		const meta = JSON.parse(readFileSync(path.join(dir, "package.json"), "utf8"));
		const file = readdirSync(dir).find((f) => /^licen[cs]e/i.test(f));
		lines.push(`==== ${pkg} ${meta.version} (${meta.license})\n`, file ? readFileSync(path.join(dir, file), "utf8") : "");
	}
	lines.push(
		"==== Outlines: Natural Earth and the U.S. Census Bureau, both in the public domain. Names of neighbourhoods: City of New York, 311.\n",
	);
	return lines.join("\n");
}

/* the short names as a day and a year stand around them: lib/format.ts, calendarDay */
const months = Object.fromEntries(
	Object.entries({ en: "en-GB", fr: "fr-FR" }).map(([lang, locale]) => {
		const f = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
		const name = (m) => f.formatToParts(Date.UTC(2026, m, 1)).find((p) => p.type === "month").value;
		return [lang, Array.from({ length: 12 }, (_, m) => name(m))];
	}),
);

/*
 * The document: its style and what must run at once (early.js) stand in it, so that the first paint waits for nothing but the scripts of
 * the page, and those are asked for with its first bytes. The server allows the inline script by its hash (tools/web_assets.py).
 */
async function page(face, s) {
	const title = `walmill ${face}`;
	const text = (contents) => Buffer.from(contents).toString().trim();
	const early = text(
		await one("src/early.js", {
			define: { FACE: JSON.stringify(face), ROOMS: JSON.stringify([s.lazy[0].file, ...s.lazy[0].with]), MONTHS: JSON.stringify(months) },
		}),
	);
	const css = text(await one(`src/${face}/page.css`));
	if (/<\/(script|style)/i.test(early + css)) throw new Error("a script or style would end too early");
	const icon = "data:image/svg+xml," + encodeURIComponent(readFileSync(path.join(here, "src/icon.svg"), "utf8").trim());
	const links = s.now.map((f) => `<link rel="modulepreload" href="${f}">`).join("");
	written.set(
		`${face}.html`,
		Buffer.from(
			`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title>` +
				`<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">` +
				`${links}<script type="module" src="${s.main}"></script><script>${early}</script><style>${css}</style>` +
				`<link rel="icon" href="${icon}"></head><body><div id="app">${await shell(here, face)}</div>` +
				`<noscript>${title} needs JavaScript.</noscript></body></html>\n`,
		),
	);
}

function pack() {
	rmSync(out, { recursive: true, force: true });
	mkdirSync(out, { recursive: true });
	for (const [name, data] of written) {
		writeFileSync(path.join(out, name), data);
		writeFileSync(path.join(out, `${name}.gz`), gzipSync(data, { level: 9 }));
		writeFileSync(path.join(out, `${name}.br`), brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
	}
}

typecheck();
const worker = hashed("worker.js", await one("src/lib/worker.ts", { format: "esm" }));
const base = hashed("base.json", JSON.stringify(baseLayer(path.join(here, "../demo/nyc311"))));
const define = { WORKER_URL: JSON.stringify(worker), BASE_URL: JSON.stringify(base) };
const dashboard = await scripts("src/dashboard/dashboard.tsx", define);
const consolePage = await scripts("src/console/console.tsx", define);
await page("dashboard", dashboard);
await page("console", consolePage);
written.set("licences.txt", Buffer.from(licences()));
const manifest = { worker, base, dashboard, console: consolePage };
written.set("manifest.json", Buffer.from(JSON.stringify(manifest, null, 1)));
pack();
if (!checkSizes(out, manifest)) process.exit(1);
