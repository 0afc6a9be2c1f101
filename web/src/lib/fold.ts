/*
 * What a topic of the live stream holds, and how its messages change it. Pure: no clock, no browser, so that tests fold what they like.
 *
 * A row's key is its key column, or its key columns joined by a character that no key contains.
 */
export type Row = Record<string, unknown>;
export type Key = string;

export interface Snapshot {
	topic: string;
	rows: Row[];
	lsn?: string;
	committedAt?: string;
}
export interface Delta {
	topic: string;
	upsert?: Row[];
	delete?: unknown[];
	lsn?: string;
	committedAt?: string;
	appliedAt?: string;
}
export type Message = { kind: "snapshot"; data: Snapshot } | { kind: "delta"; data: Delta } | { kind: "resync"; data: { topic: string } };

/* The key columns of each topic. */
export const KEYS: Record<string, readonly string[]> = {
	daily: ["date", "status"],
	load: ["technicianId"],
	map: ["interventionId"],
	interventions: ["id"],
	freshness: ["job"],
	health: ["name"],
	connectors: ["name"],
	jobs: ["id"],
	topics: ["name"],
	groups: ["id"],
};

export interface TopicState {
	rows: Map<Key, Row>;
	/* false until the first snapshot, and again between a resync and the snapshot that follows */
	ready: boolean;
	committedAt: string | null;
	appliedAt: string | null;
	/* what the last fold touched: null when everything may be different */
	changed: Set<Key> | null;
}

export function emptyTopic(): TopicState {
	return { rows: new Map(), ready: false, committedAt: null, appliedAt: null, changed: null };
}

export function keyOfRow(topic: string, row: Row): Key {
	const columns = KEYS[topic] ?? ["id"];
	return columns.map((c) => String(row[c])).join("\u0001");
}

export function keyOfDelete(key: unknown): Key {
	return Array.isArray(key) ? key.map(String).join("\u0001") : String(key);
}

/* A snapshot replaces; a delta before the first snapshot is dropped, for the snapshot that follows has it. */
export function fold(state: TopicState, m: Message): TopicState {
	const topic = m.data.topic;
	if (m.kind === "snapshot") {
		const rows = new Map<Key, Row>();
		for (const row of m.data.rows) rows.set(keyOfRow(topic, row), row);
		return { rows, ready: true, committedAt: m.data.committedAt ?? state.committedAt, appliedAt: state.appliedAt, changed: null };
	}
	if (m.kind === "resync") return { ...state, ready: false };
	if (!state.ready) return state;
	const changed = state.changed ?? new Set<Key>();
	for (const row of m.data.upsert ?? []) {
		const key = keyOfRow(topic, row);
		state.rows.set(key, row);
		changed.add(key);
	}
	for (const gone of m.data.delete ?? []) {
		const key = keyOfDelete(gone);
		state.rows.delete(key);
		changed.add(key);
	}
	return { ...state, committedAt: m.data.committedAt ?? state.committedAt, appliedAt: m.data.appliedAt ?? state.appliedAt, changed };
}
