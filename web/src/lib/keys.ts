/* Keyboard shortcuts: single keys and sequences like "g t". Nothing fires while a viewer types in a field or a dialog is open. */
import { signal } from "@preact/signals";

export interface Shortcut {
	keys: string;
	label: () => string;
	run: () => void;
}

export const shortcuts = signal<Shortcut[]>([]);
export const helpOpen = signal(false);

/* Adds shortcuts until the function that it returns is called. */
export function addShortcuts(list: Shortcut[]): () => void {
	shortcuts.value = [...shortcuts.peek(), ...list];
	return () => (shortcuts.value = shortcuts.peek().filter((s) => !list.includes(s)));
}

let pending = "";
let timer: ReturnType<typeof setTimeout> | undefined;

function typing(e: KeyboardEvent): boolean {
	const el = e.target as HTMLElement | null;
	return !!el && (/^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName) || el.isContentEditable);
}

addEventListener("keydown", (e) => {
	if (e.ctrlKey || e.metaKey || e.altKey) return;
	if (e.key === "Escape" && typing(e)) (e.target as HTMLElement).blur();
	if (typing(e) || document.querySelector("dialog[open]")) return;
	const keys = pending ? `${pending} ${e.key}` : e.key;
	clearTimeout(timer);
	pending = "";
	const list = shortcuts.peek();
	const hit = list.find((s) => s.keys === keys);
	if (hit) {
		e.preventDefault();
		hit.run();
	} else if (list.some((s) => s.keys.startsWith(`${keys} `))) {
		pending = keys;
		timer = setTimeout(() => (pending = ""), 1200);
	}
});

/* "/" goes to the page's search field */
export function focusSearch(): void {
	const field = document.querySelector<HTMLInputElement>("main input[type=search]");
	field?.focus();
	field?.select();
}
