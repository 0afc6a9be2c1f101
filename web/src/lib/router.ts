/* The URL is the state: path and query as signals, links followed without a load. */
import { signal } from "@preact/signals";

export const path = signal(location.pathname);
export const query = signal(new URLSearchParams(location.search));

function read(): void {
	if (path.peek() !== location.pathname) path.value = location.pathname;
	if (query.peek().toString() !== location.search.replace(/^\?/, "")) query.value = new URLSearchParams(location.search);
}

export function navigate(url: string, replace = false): void {
	const before = location.pathname;
	history[replace ? "replaceState" : "pushState"](null, "", url);
	read();
	if (location.pathname !== before) {
		scrollTo(0, 0);
		document.getElementById("main")?.focus({ preventScroll: true });
	}
}

/* Sets some parameters of the query, null takes one away. What a viewer does often (typing, panning) replaces; a choice pushes. */
export function setQuery(changes: Record<string, string | null>, replace = true): void {
	const q = new URLSearchParams(location.search);
	for (const [k, v] of Object.entries(changes)) {
		if (v === null || v === "") q.delete(k);
		else q.set(k, v);
	}
	const text = q.toString().replaceAll("%2C", ",").replaceAll("%2F", "/");
	if (text !== location.search.replace(/^\?/, "")) navigate(location.pathname + (text ? `?${text}` : "") + location.hash, replace);
}

/* "/topics/{}" against the path: the texts at {}, decoded, or null. */
export function match(pattern: string, p = path.value): string[] | null {
	const want = pattern.split("/"),
		have = p.replace(/(.)\/$/, "$1").split("/");
	if (want.length !== have.length) return null;
	const out: string[] = [];
	for (let i = 0; i < want.length; i++) {
		const h = have[i] ?? "";
		if (want[i] === "{}" && h) out.push(decodeURIComponent(h));
		else if (want[i] !== h) return null;
	}
	return out;
}

addEventListener("popstate", read);
document.addEventListener("click", (e) => {
	const a = (e.target as Element | null)?.closest?.("a");
	if (
		!a ||
		e.defaultPrevented ||
		e.button ||
		e.metaKey ||
		e.ctrlKey ||
		e.shiftKey ||
		e.altKey ||
		a.target ||
		a.hasAttribute("download")
	)
		return;
	if (a.origin !== location.origin || a.getAttribute("href")?.startsWith("#") || a.hasAttribute("data-load")) return;
	e.preventDefault();
	navigate(a.pathname + a.search + a.hash);
});
