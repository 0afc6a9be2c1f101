/* A message's value as a change: Debezium's envelope, or the flattened row with __op. Pure, for tests. */
import type { Bytes } from "./model.ts";

type Columns = Record<string, unknown>;
export interface Change {
	op: string;
	before: Columns | null;
	after: Columns | null;
	flat: boolean;
}

const isObject = (v: unknown): v is Columns => typeof v === "object" && v !== null && !Array.isArray(v);

export function parse(value: Bytes): unknown {
	if (typeof value !== "string") return undefined;
	try {
		return JSON.parse(value);
	} catch {
		return undefined;
	}
}

/* null when it is neither */
export function changeOf(value: Bytes): Change | null {
	let v = parse(value);
	if (isObject(v) && isObject(v["schema"]) && "payload" in v) v = v["payload"];
	if (!isObject(v)) return null;
	if (typeof v["op"] === "string" && ("before" in v || "after" in v))
		return {
			op: v["op"],
			before: isObject(v["before"]) ? v["before"] : null,
			after: isObject(v["after"]) ? v["after"] : null,
			flat: false,
		};
	if (typeof v["__op"] === "string" || typeof v["__deleted"] === "string") {
		const row = Object.fromEntries(Object.entries(v).filter(([k]) => !k.startsWith("__")));
		const gone = v["__deleted"] === "true";
		return {
			op: typeof v["__op"] === "string" ? v["__op"] : gone ? "d" : "u",
			before: gone ? row : null,
			after: gone ? null : row,
			flat: true,
		};
	}
	return null;
}

export interface DiffRow {
	name: string;
	before: unknown;
	after: unknown;
	changed: boolean;
}

export function diff(c: Change): DiffRow[] {
	const names = [...new Set([...Object.keys(c.before ?? {}), ...Object.keys(c.after ?? {})])];
	return names.map((name) => {
		const before = c.before?.[name],
			after = c.after?.[name];
		return { name, before, after, changed: !!c.before && !!c.after && JSON.stringify(before) !== JSON.stringify(after) };
	});
}

export const show = (v: unknown): string => (v === undefined ? "" : v === null ? "NULL" : typeof v === "string" ? v : JSON.stringify(v));
