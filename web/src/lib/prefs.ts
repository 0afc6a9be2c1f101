/* What a viewer chose and this browser remembers: theme, language, zone. Without a choice each follows the browser. */
import { computed, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";
export type Lang = "en" | "fr";
export type Zone = string; /* "browser", "UTC" or an IANA name */

function stored(name: string): string | null {
	try {
		return localStorage.getItem(`walmill.${name}`);
	} catch {
		return null;
	}
}

function store(name: string, value: string | null): void {
	try {
		if (value === null) localStorage.removeItem(`walmill.${name}`);
		else localStorage.setItem(`walmill.${name}`, value);
	} catch {
		/* a browser that keeps nothing forgets the choice at the next load */
	}
}

const browserLang = (): Lang => (navigator.languages.find((l) => /^(en|fr)\b/i.test(l)) ?? "en").slice(0, 2).toLowerCase() as Lang;

export const themeChoice = signal<Theme>((stored("theme") as Theme | null) ?? "system");
export const langChoice = signal<Lang | "browser">((stored("lang") as Lang | null) ?? "browser");
export const zoneChoice = signal<Zone>(stored("zone") ?? "browser");

export const lang = computed<Lang>(() => (langChoice.value === "browser" ? browserLang() : langChoice.value));
export const zone = computed<string>(() =>
	zoneChoice.value === "browser" ? Intl.DateTimeFormat().resolvedOptions().timeZone : zoneChoice.value,
);

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
export const dark = signal(false);

function apply(): void {
	const choice = themeChoice.peek();
	if (choice === "system") delete document.documentElement.dataset.theme;
	else document.documentElement.dataset.theme = choice;
	dark.value = choice === "dark" || (choice === "system" && prefersDark.matches);
}
prefersDark.addEventListener("change", apply);
apply();

export function setTheme(t: Theme): void {
	themeChoice.value = t;
	store("theme", t === "system" ? null : t);
	apply();
}
export function setLang(l: Lang | "browser"): void {
	langChoice.value = l;
	store("lang", l === "browser" ? null : l);
}
export function setZone(z: Zone): void {
	zoneChoice.value = z;
	store("zone", z === "browser" ? null : z);
}
