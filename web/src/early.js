/*
 * What cannot wait for the page's scripts; it stands in the document itself. The theme that was chosen, so that nothing flashes; the
 * language, which the shell is shown in; and the first data, asked for while the scripts still come (lib/early.ts takes the answers).
 * FACE, ROOMS and MONTHS are the build's.
 */
import { isDay } from "./lib/day.ts";

let zone = null;
try {
	zone = localStorage.getItem("walmill.zone");
	const theme = localStorage.getItem("walmill.theme");
	if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
	document.documentElement.lang = localStorage.getItem("walmill.lang") || (/^fr\b/i.test(navigator.language) ? "fr" : "en");
} catch {
	/* no storage: the browser's own preference holds */
}
{
	const rooms = ["connectors", "jobs", "topics", "groups"];
	const room = location.pathname.split("/")[1];
	const topics = FACE === "dashboard" ? ["daily", "load"] : room ? rooms.filter((r) => r === room) : ["health", ...rooms];
	const urls = [];
	if (FACE === "console" && !room) urls.push("/api/health");
	if (FACE === "dashboard") urls.push("/api/users?role=TECH&size=200&sort=fullName,asc");
	if (FACE === "dashboard" && !location.search) urls.push("/api/interventions?page=0&size=10&sort=updatedAt%2Cdesc");
	const abort = new AbortController();
	window.early = {
		abort,
		stream: fetch(`/api/stream?once=true&topics=${[...topics, "freshness"]}`, { signal: abort.signal }),
		answers: new Map(urls.map((url) => [url, fetch(url)])),
	};
	/*
	 * The dashboard's title, the largest text of its first screen. A day needs no formatter, whose first use takes long, unless it is
	 * another zone's; what the page renders a moment later is the same (calendarDay and today in lib/format.ts).
	 */
	const today = () => {
		const at = new Date(),
			parts = { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" };
		if (zone && zone !== "browser") return new Intl.DateTimeFormat("en-CA", parts).format(at).split("-");
		return [at.getFullYear(), at.getMonth() + 1, at.getDate()];
	};
	const title = () => {
		const asked = new URLSearchParams(location.search).get("date");
		const [y, m, d] = isDay(asked) ? asked.split("-") : today();
		const month = MONTHS[document.documentElement.lang === "fr" ? "fr" : "en"][m - 1];
		if (location.pathname === "/") document.querySelector("h1").textContent = `${+d} ${month} ${y}`;
	};
	if (FACE === "dashboard") document.addEventListener("readystatechange", title, { once: true });
	if (FACE === "console" && room)
		for (const href of ROOMS) document.head.append(Object.assign(document.createElement("link"), { rel: "modulepreload", href }));
	/* who takes them hears of their faults */
	for (const p of [window.early.stream, ...window.early.answers.values()]) p.catch(() => undefined);
	/* the first formatter of a page loads what all share, tens of milliseconds: after the shell's frame, when the scripts still come */
	requestAnimationFrame(() => setTimeout(() => new Intl.DateTimeFormat(document.documentElement.lang).format(0)));
}
