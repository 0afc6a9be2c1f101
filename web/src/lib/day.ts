/* Calendar days as text, "2026-11-26". Nothing else is imported here: the document's own script (early.js) uses it too. */
export function isDay(s: string | null | undefined): s is string {
	const at = s && /^\d{4}-\d\d-\d\d$/.test(s) ? Date.parse(`${s}T00:00:00Z`) : NaN;
	/* 31 February is read as 3 March, or not at all */
	return !Number.isNaN(at) && new Date(at).toISOString().slice(0, 10) === s;
}
