/*
 * What a document shows before its scripts are here: the header with its links, in both languages, of which the style shows the one that
 * html has, and the place of the dashboard's title. The page's first rendering takes these elements over. It also does the first work of
 * fonts and painting while the scripts come.
 */
import * as esbuild from "esbuild";

/* texts and shapes are those of the pages; what formats needs a browser, and nothing here is formatted */
const alone = { name: "alone", setup: (b) => b.onLoad({ filter: /lib\/format\.ts$/ }, () => ({ contents: "export const plural = 0" })) };

async function words(here) {
	const contents =
		["en", "fr"].map((l) => `export { ${l} } from "./src/i18n/${l}.ts";`).join("") +
		'export { PATHS } from "./src/ui/icons.tsx"; export { ROOMS } from "./src/console/nav.ts";';
	const out = await esbuild.build({
		stdin: { contents, resolveDir: here, loader: "ts" },
		bundle: true,
		write: false,
		format: "esm",
		jsx: "automatic",
		jsxImportSource: "preact",
		plugins: [alone],
	});
	return import(`data:text/javascript;base64,${Buffer.from(out.outputFiles[0].contents).toString("base64")}`);
}

export async function shell(here, face) {
	const { en, fr, PATHS, ROOMS } = await words(here);
	const both = (of) => `<b lang="en">${of(en)}</b><b lang="fr">${of(fr)}</b>`;
	const links = ROOMS.map(
		({ href, name, icon }) =>
			`<a href="${href}"><svg class="icon" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">` +
			`<path d="${PATHS[icon]}"/></svg><span>${both((l) => l.nav[name])}</span></a>`,
	);
	return (
		`<a class="skip" href="#main">${both((l) => l.app.skip)}</a><header class="top"><a class="brand" href="/">` +
		`<svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="7"/>` +
		`<path d="M5 20c3.5 0 3.5-8 7-8s3.5 8 7 8 3.5-8 8-8"/></svg><span>walmill</span>` +
		`<span class="brand-part">${both((l) => l.app[face])}</span></a>${face === "console" ? `<nav>${links.join("")}</nav>` : ""}` +
		`<div class="top-tools"></div></header>` +
		/* the day comes in by early.js */
		(face === "dashboard" ? `<main id="main" tabindex="-1"><div class="board"><div class="bar"><h1></h1></div></div></main>` : "")
	);
}
