/* Numbers, sizes, times and durations as the language and the zone of the viewer have them. Formatters are kept: making one is slow. */
import { lang, zone } from "./prefs.ts";

const kept = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat | Intl.PluralRules>();

function keep<F extends Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat | Intl.PluralRules>(
	key: string,
	make: () => F,
): F {
	let f = kept.get(key) as F | undefined;
	if (!f) kept.set(key, (f = make()));
	return f;
}

export function num(n: number | null | undefined, digits = 0): string {
	if (n === null || n === undefined || !Number.isFinite(n)) return "–";
	const l = lang.value;
	return keep(`n${l}${digits}`, () => new Intl.NumberFormat(l, { maximumFractionDigits: digits })).format(n);
}

/* 1,234 stays; 56,789 becomes 56.8K */
export function compact(n: number | null | undefined): string {
	if (n === null || n === undefined || !Number.isFinite(n)) return "–";
	if (Math.abs(n) < 10000) return num(n, Math.abs(n) < 10 ? 1 : 0);
	const l = lang.value;
	return keep(`c${l}`, () => new Intl.NumberFormat(l, { notation: "compact", maximumFractionDigits: 1 })).format(n);
}

export function percent(ratio: number | null | undefined, digits = 1): string {
	if (ratio === null || ratio === undefined) return "–";
	const l = lang.value;
	return keep(`p${l}${digits}`, () => new Intl.NumberFormat(l, { style: "percent", maximumFractionDigits: digits })).format(ratio);
}

const UNITS = { en: ["B", "KiB", "MiB", "GiB", "TiB"], fr: ["o", "Kio", "Mio", "Gio", "Tio"] };

export function bytes(n: number | null | undefined): string {
	if (n === null || n === undefined) return "–";
	let i = 0,
		v = n;
	while (Math.abs(v) >= 1024 && i < 4) {
		v /= 1024;
		i++;
	}
	return `${num(v, v < 10 && i ? 1 : 0)}\u00a0${UNITS[lang.value][i]}`;
}

/* 0.4 s, 12 s, 3 min 05 s, 2 h 10 min, 3 d 4 h */
export function duration(seconds: number | null | undefined): string {
	if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
	const s = Math.max(0, seconds),
		sp = "\u00a0",
		day = lang.value === "fr" ? "j" : "d";
	if (s < 1) return `${num(s * 1000)}${sp}ms`;
	if (s < 10) return `${num(s, 1)}${sp}s`;
	if (s < 60) return `${num(s)}${sp}s`;
	if (s < 3600) return `${Math.floor(s / 60)}${sp}min${sp}${String(Math.floor(s % 60)).padStart(2, "0")}${sp}s`;
	if (s < 86400) return `${Math.floor(s / 3600)}${sp}h${sp}${String(Math.floor((s % 3600) / 60)).padStart(2, "0")}${sp}min`;
	const hours = Math.floor((s % 86400) / 3600);
	return `${num(Math.floor(s / 86400))}${sp}${day}${hours ? `${sp}${hours}${sp}h` : ""}`;
}

/* 4.2/s */
export const rate = (n: number | undefined): string => (n === undefined ? "–" : `${num(n, n < 10 ? 1 : 0)}/s`);

type Instant = string | number | null | undefined;
const ms = (at: string | number): number => (typeof at === "number" ? at : Date.parse(at));

function dated(at: Instant, key: string, o: Intl.DateTimeFormatOptions, z = zone.value): string {
	if (at === null || at === undefined || Number.isNaN(ms(at))) return "–";
	const l = lang.value;
	const locale = l === "en" ? "en-GB" : "fr-FR";
	return keep(`d${l}${key}${z}`, () => new Intl.DateTimeFormat(locale, { ...o, timeZone: z })).format(ms(at));
}

const HOUR: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
export const dateTime = (at: Instant): string => dated(at, "dt", { day: "numeric", month: "short", year: "numeric", ...HOUR });
export const dateTimeSeconds = (at: Instant): string =>
	dated(at, "dts", { day: "numeric", month: "short", year: "numeric", ...HOUR, second: "2-digit" });
export const timeOfDay = (at: Instant): string => dated(at, "t", { ...HOUR, second: "2-digit" });
/* the time alone where the day is today */
export const timeOrDate = (at: Instant): string =>
	at !== null && at !== undefined && today(ms(at)) === today()
		? timeOfDay(at)
		: dated(at, "ds", { day: "numeric", month: "short", ...HOUR });
/* a calendar date "2026-11-26" has no zone */
export const calendarDay = (date: string): string =>
	dated(`${date}T00:00:00Z`, "cd", { day: "numeric", month: "short", year: "numeric" }, "UTC");
export const shortDay = (date: string): string => dated(`${date}T00:00:00Z`, "sd", { day: "numeric", month: "short" }, "UTC");
export const iso = (at: Instant): string =>
	at === null || at === undefined || Number.isNaN(ms(at)) ? "" : new Date(ms(at)).toISOString();

export function relative(at: Instant, now: number): string {
	if (at === null || at === undefined || Number.isNaN(ms(at))) return "–";
	const s = (ms(at) - now) / 1000,
		a = Math.abs(s),
		l = lang.value;
	const f = keep(`r${l}`, () => new Intl.RelativeTimeFormat(l, { numeric: "auto" }));
	if (a < 60) return f.format(Math.round(s), "second");
	if (a < 3600) return f.format(Math.round(s / 60), "minute");
	if (a < 86400) return f.format(Math.round(s / 3600), "hour");
	return f.format(Math.round(s / 86400), "day");
}

/* French: 0 and 1 are singular */
export function plural(n: number, one: string, other: string): string {
	const l = lang.value;
	return `${num(n)}\u00a0${keep(`pl${l}`, () => new Intl.PluralRules(l)).select(n) === "one" ? one : other}`;
}

/* Today in the viewer's zone, as "2026-11-26". */
export function today(now = Date.now()): string {
	const z = zone.value;
	const o = { timeZone: z, year: "numeric", month: "2-digit", day: "2-digit" } as const;
	return keep(`td${z}`, () => new Intl.DateTimeFormat("en-CA", o)).format(now);
}

export function addDays(date: string, days: number): string {
	return new Date(Date.parse(`${date}T00:00:00Z`) + days * 86400000).toISOString().slice(0, 10);
}

/* The clock on the wall of the viewer's zone at an instant, counted as if it were UTC's. */
function wall(at: number): number {
	const o = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" } as const;
	const z = zone.value;
	const f = keep(`w${z}`, () => new Intl.DateTimeFormat("en-GB", { ...o, hourCycle: "h23", timeZone: z })) as Intl.DateTimeFormat;
	const part = Object.fromEntries(f.formatToParts(at).map((p) => [p.type, Number(p.value)]));
	return Date.UTC(part["year"] ?? 0, (part["month"] ?? 1) - 1, part["day"], part["hour"], part["minute"], part["second"]);
}

/* A field datetime-local has no zone: it is read and written in the viewer's. */
export const fieldOf = (at: number): string => new Date(wall(at)).toISOString().slice(0, 16);

/* NaN for what is no date. Of an hour that happens twice the first, or of one that does not happen something beside it. */
export function instantOf(field: string): number {
	const told = Date.parse(`${field}Z`);
	if (Number.isNaN(told)) return NaN;
	const near = told - (wall(told) - told);
	return told - (wall(near) - near);
}
