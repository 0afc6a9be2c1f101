/* English, and by its type the list of every text that the pages show. Functions take what stands inside. */
import { plural } from "../lib/format.ts";

export const en = {
	app: { dashboard: "Dashboard", console: "Console", skip: "Skip to content", menu: "Settings", openConsole: "Open console", openDashboard: "Open dashboard" },
	live: {
		live: "Live", connecting: "Connecting", reconnecting: "Reconnecting", paused: "Paused", disconnected: "Disconnected", polling: "Polling",
		ago: (t: string) => `${t} ago`, pause: "Pause updates", resume: "Resume updates", now: "now",
		banner: "The server does not answer. What you see is the last it said.", retry: (s: string) => `Next attempt in ${s}.`,
		retryNow: "Trying again", back: "Connected again.", freshness: "Freshness", behind: (t: string) => `${t} behind`,
		freshTip: "From the commit in PostgreSQL to the analytics tables",
	},
	set: {
		theme: "Theme", system: "System", light: "Light", dark: "Dark", language: "Language", browser: "Browser", zone: "Time zone", english: "English",
		french: "Français", shortcuts: "Keyboard shortcuts", licences: "Licences",
	},
	act: {
		close: "Close", cancel: "Cancel", save: "Save", create: "Create", edit: "Edit", delete: "Delete", retry: "Retry", copy: "Copy", copied: "Copied",
		search: "Search", clear: "Clear", more: "More", previous: "Previous", next: "Next", refresh: "Refresh", show: "Show", hide: "Hide", all: "All",
		back: "Back", details: "Details", open: "Open", csv: "Export CSV",
	},
	word: {
		loading: "Loading", error: "Error", none: "None", name: "Name", state: "State", unknown: "Unknown", since: "since", of: "of", total: "Total",
		from: "From", to: "To", per: "per second", rows: (n: number) => plural(n, "row", "rows"), requestId: "Request", table: "Data table", yes: "yes", no: "no",
		showing: (a: string, b: string, n: string) => `${a}–${b} of ${n}`, page: "Page", size: "Size", time: "Time", value: "Value", key: "Key",
		status: "Status", date: "Date", count: "Count", notFound: "There is no such page.", rateUnit: (n: string) => `${n}/s`,
	},
	state: {
		RUNNING: "Running", PAUSED: "Paused", STOPPED: "Stopped", FAILED: "Failed", UNASSIGNED: "Unassigned", ok: "OK", warning: "Warning", failed: "Failed",
		degraded: "Degraded", DEGRADED: "Degraded", CREATED: "Created", STARTING: "Starting", BACKFILL: "Backfilling", CANCELED: "Cancelled",
		CANCELLED: "Cancelled", CANCELLING: "Cancelling", FINISHED: "Finished", RESTARTING: "Restarting", Stable: "Stable", Empty: "Empty", Dead: "Dead",
		PreparingRebalance: "Rebalancing", CompletingRebalance: "Rebalancing", pending: "Waiting for confirmation",
	} as Record<string, string>,
	status: { SCHEDULED: "Scheduled", IN_PROGRESS: "In progress", COMPLETED: "Completed", VALIDATED: "Validated" },
	kpi: {
		total: "Interventions", average: "Average duration", ratio: "Validation rate", versus: (d: string) => `vs ${d}`, same: "no change",
		trendOf: (n: string) => `${n}, last 14 days`, day: "Day", today: "Today", earlier: "Previous day", later: "Next day",
		noRows: "No interventions planned on this day", latest: (d: string) => `Last day with data: ${d}`,
	},
	chart: {
		trend: "Interventions per day", stacked: "Status by day", load: "Technician load", share: "Status of the day", days: (n: number) => plural(n, "day", "days"),
		keys: "Use the arrow keys to read the values", open: "Open", doneToday: "Done today", validated: "validated", technician: "Technician",
		empty: "Nothing to draw yet", emptyWhy: "The chart fills as soon as the job has written rows for these days.", unknownTech: (id: string) => `Technician ${id}`,
		range: "Days shown",
	},
	map: {
		title: "Map", label: (n: number) => `Map of ${plural(n, "intervention", "interventions")}`, fit: "Fit to data", attribution: "Natural Earth, U.S. Census Bureau, NYC 311",
		keys: "Arrow keys move the map, plus and minus zoom; the table lists the same interventions", planned: "Planned", updated: "Updated", filter: "Statuses shown",
		empty: "No intervention has a place yet", count: (n: number) => plural(n, "intervention", "interventions"), zoomIn: "Zoom in", zoomOut: "Zoom out",
	},
	ai: {
		insights: "Insights", forecast: "7-day forecast", method: "Simple exponential smoothing", baseline: "Average", last: "Last day", none: "Not enough history yet",
		UP: "Rising", DOWN: "Falling", FLAT: "Steady", expected: "expected", noneWhy: "Insights need a day with finished interventions.",
	},
	list: {
		title: "Interventions", reference: "Reference", subject: "Title", description: "Description", technician: "Technician", planned: "Planned", updated: "Updated",
		mode: "Assignment", AUTO: "Automatic", MANUAL: "Manual", latitude: "Latitude", longitude: "Longitude", search: "Search reference or title",
		anyStatus: "Any status", anyTech: "Any technician", nobody: "Nobody", create: "New intervention", editTitle: (r: string) => `Edit ${r}`,
		advance: (s: string) => `Set to ${s}`, deleteTitle: (r: string) => `Delete ${r}?`, deleteText: "The row is deleted from the database. This can't be undone.",
		empty: "No intervention matches", emptyWhy: "Clear the filters, or create one.", created: (r: string) => `${r} was created`, saved: (r: string) => `${r} was saved`,
		deleted: (r: string) => `${r} was deleted`, actions: "Actions", onMap: "Show on map", perPage: "per page", missing: "This field is needed",
		newRows: "New rows", changed: (r: string, s: string) => `${r}: ${s}`, fetch: "The list could not be fetched",
	},
	nav: { home: "Home", topics: "Topics", groups: "Consumer groups", connectors: "Connectors", jobs: "Jobs" },
	home: {
		title: "Health", allWell: "Everything works", degraded: "Some things need a look", failed: "Something has failed", memory: "Memory", uptime: "Up for",
		log: "Log on disk", free: "Free disk", version: "Version", checks: "Checks", listeners: "Listeners", address: "Address", data: "Data directory",
		events: "Events", lag: "Lag", throughput: "Throughput", seeAll: "See all", hint: "What helps",
	},
	topic: {
		title: "Topics", partitions: "Partitions", records: "Records", size: "Size", rate: "Rate", internal: "internal", showInternal: "Internal topics", messages: "Messages",
		live: "Live tail", configs: "Configuration", readers: "Readers", from: "From", newest: "Newest", oldest: "Oldest", offset: "Offset", at: "At a time",
		partition: "Partition", anyPartition: "All partitions", filter: "Filter key, value and headers", empty: "No message here", emptyWhy: "Choose another start, or wait for the next message.",
		none: "No topic yet", noneWhy: "A topic appears when a connector captures a table or a client produces.", tail: "Follow", stopTail: "Stop", headers: "Headers",
		before: "Before", after: "After", op: "Operation", truncated: "cut", begin: "Begin offset", end: "End offset", writer: "Written by", find: "Find a topic",
		ring: (n: number) => `The last ${plural(n, "message", "messages")} are kept`, source: "Set by", cleanup: "Cleanup", retention: "Retention", binary: "binary",
		createOp: "insert", updateOp: "update", deleteOp: "delete", readOp: "snapshot", truncateOp: "truncate", field: "Column", raw: "Raw", older: "Older", newer: "Newer",
		waiting: "Waiting for messages", unlimited: "unlimited",
	},
	group: {
		title: "Consumer groups", members: "Members", lagRecords: "Lag", lagSeconds: "Behind", protocol: "Protocol", committed: "Committed", end: "End", member: "Member",
		client: "Client", host: "Host", none: "No consumer group yet", noneWhy: "A group appears when a client joins one or commits an offset.", records: (n: number) => plural(n, "record", "records"),
		find: "Find a group", unassigned: "Nobody reads it",
	},
	connector: {
		title: "Connectors", slot: "Slot", publication: "Publication", confirmed: "Confirmed LSN", restart: "Restart LSN", wal: "Retained WAL", walStatus: "WAL status",
		lag: "Lag", lastEvent: "Last event", events: "Events", transactions: "Transactions", snapshot: "Snapshot", tables: "Tables", trace: "Stack trace", config: "Configuration",
		warnings: "Warnings", none: "No connector yet", noneWhy: "Post a connector file to the Connect API:", pause: "Pause", resume: "Resume", stop: "Stop", restartAct: "Restart", asked: "Asked",
		confirmedAct: "Confirmed", stopTitle: (n: string) => `Stop ${n}?`, stopText: "It stops capturing until it is resumed. PostgreSQL keeps the WAL from its slot on.", feeds: "Feeds", tasks: "Tasks",
		failedText: "The connector has failed",
	},
	job: {
		title: "Jobs", plan: "Plan", sql: "SQL", exceptions: "Exceptions", checkpoint: "Checkpoint", position: "Position", freshness: "Freshness", read: "Read", written: "Written",
		stateSize: "State", targets: "Targets", sources: "Sources", none: "No job yet", noneWhy: "Submit one:", cancel: "Cancel job", cancelTitle: (n: string) => `Cancel ${n}?`,
		cancelText: (n: string) => `The job ends and its state is dropped; the tables keep their rows. Type ${n} to confirm.`, noExceptions: "No exception", never: "never", kept: "rows kept",
		pause: "Pause", resume: "Resume", planLabel: (n: number) => `Plan of ${plural(n, "node", "nodes")}`, reason: "Reason", committed: "Committed", rowsIn: "in", rowsOut: "out",
		confirmName: "Name of the job",
	},
	help: {
		title: "Keyboard shortcuts", help: "This help", search: "Search in the page", pause: "Pause or resume", esc: "Close, leave a field", theme: "Next theme", goto: (p: string) => `Go to ${p}`,
		create: "New intervention", map: "Map", list: "Table",
	},
	err: { title: "This could not be loaded", network: "The server could not be reached", last: "The last good data stay on screen.", action: "That did not work" },
};

type Texts<T> = { [K in keyof T]: T[K] extends string ? string : T[K] extends (...a: infer A) => string ? (...a: A) => string : Texts<T[K]> };
export type Dictionary = Texts<typeof en>;
