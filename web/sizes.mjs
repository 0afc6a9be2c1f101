/* Budgets of the pages, in KiB compressed with gzip. html: a document with its style and early.js. */
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";

export const BUDGETS = { entry: 40, console: 70, dashboard: 140, html: 12, base: 120, all: 700 };

export function sizes(out, m) {
	const kib = (files) => [...new Set(files)].reduce((n, f) => n + readFileSync(path.join(out, `${f}.gz`)).length, 0) / 1024;
	const start = (p) => [p.main, ...p.now];
	/* with everything that any of its pages loads on demand */
	const whole = (p) => kib([...start(p), ...p.lazy.flatMap((l) => [l.file, ...l.with])]);
	return {
		entry: Math.max(kib(start(m.dashboard)), kib(start(m.console))),
		console: whole(m.console),
		dashboard: whole(m.dashboard),
		html: Math.max(kib(["dashboard.html"]), kib(["console.html"])),
		base: kib([m.base]),
		all: kib(
			readdirSync(out)
				.filter((f) => f.endsWith(".gz"))
				.map((f) => f.slice(0, -3)),
		),
	};
}

export function checkSizes(out, manifest) {
	let ok = true;
	for (const [name, size] of Object.entries(sizes(out, manifest))) {
		const fits = size <= BUDGETS[name];
		ok &&= fits;
		console.log(`web: ${name.padEnd(9)} ${size.toFixed(1).padStart(6)} KiB of ${BUDGETS[name]}${fits ? "" : "   TOO LARGE"}`);
	}
	return ok;
}
