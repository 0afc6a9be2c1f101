/* What the console's REST and stream give; what an older server leaves out is optional. */
export interface Check {
	name: string;
	status: "ok" | "warning" | "failed";
	detail: string;
	hint: string | null;
	link: string | null;
}
export interface Health {
	status: "ok" | "degraded" | "failed";
	version: string;
	startedAt: string;
	uptimeSeconds: number;
	memoryBytes: number;
	dataDirectory: string;
	logBytes: number;
	freeBytes: number;
	checks: Check[];
	listeners: { name: string; address: string }[];
}
export interface Connector {
	name: string;
	state: string;
	step?: string;
	tasks: { id: number; state: string; trace: string | null }[];
	slot: string;
	publication: string;
	confirmedLsn: string | null;
	restartLsn: string | null;
	walStatus: string | null;
	retainedWalBytes: number | null;
	lagBytes: number | null;
	lagSeconds: number | null;
	lastEventAt: string | null;
	events: number;
	transactions: number;
	snapshot: { state: string; rows: number; tables?: number; tablesDone?: number } | null;
	tables?: string[];
	topics?: string[];
	warnings: string[];
	jobs: string[];
	config: Record<string, string>;
}
export interface Topic {
	name: string;
	id: string;
	partitions: number;
	records: number;
	bytes: number;
	eventsPerSecond: number;
	internal: boolean;
	connector: string | null;
	groups: string[];
	jobs: string[];
	cleanupPolicy: string;
	retentionMs: number;
}
export interface TopicDetail extends Omit<Topic, "partitions"> {
	partitions: { partition: number; beginOffset: number; endOffset: number; bytes: number }[];
	configs: { name: string; value: string; source: string }[];
}
export type Bytes = string | { base64: string } | null;
export interface Message {
	partition: number;
	offset: number;
	timestamp: number;
	key: Bytes;
	value: Bytes;
	headers: { key: string; value: Bytes }[];
	keySize: number;
	valueSize: number;
	truncated: boolean;
}
export interface Messages {
	messages: Message[];
	next: string | null;
	more?: boolean;
	partitions: { partition: number; beginOffset: number; endOffset: number }[];
}
export interface Group {
	id: string;
	state: string;
	protocol: string | null;
	members: number;
	topics: string[];
	lagRecords: number | null;
	lagSeconds: number | null;
}
export interface GroupDetail extends Group {
	memberList: { id: string; clientId: string; host: string; partitions: { topic: string; partition: number }[] }[];
	partitions: {
		topic: string;
		partition: number;
		committed: number;
		end: number;
		lag: number;
		lagSeconds: number | null;
		memberId: string | null;
	}[];
}
export interface Job {
	id: string;
	name: string;
	state: string;
	step?: string;
	reason: string | null;
	sql: string;
	position: string;
	lagMs: number | null;
	committedAt: string | null;
	rowsReadPerSecond?: number;
	rowsWrittenPerSecond?: number;
	rowsRead: number;
	rowsWritten: number;
	stateBytes: number;
	sourceRows?: number;
	resultRows?: number;
	checkpoint: { at: string; bytes: number; position: string | number; rows?: number } | null;
	tables?: string[];
	sources?: string[];
	connector: string;
	startedAt?: string;
}
export interface PlanNode {
	id: number | string;
	kind: string;
	description: string;
	rowsIn?: number;
	rowsOut?: number;
	rowsInPerSecond?: number;
	rowsOutPerSecond?: number;
	stateRows?: number;
	stateBytes?: number;
}

/* failed first, then what is not running, then by name, in the order of code units: the first collator of a page costs 50 ms and more */
const RANK: Record<string, number> = { FAILED: 0, failed: 0, warning: 1, DEGRADED: 1, UNASSIGNED: 2, STOPPED: 3, PAUSED: 3 };
export function byTrouble<T extends { name: string }>(rows: readonly T[], state: (r: T) => string): T[] {
	return [...rows].sort((a, b) => (RANK[state(a)] ?? 9) - (RANK[state(b)] ?? 9) || (a.name < b.name ? -1 : 1));
}
