/* What the dashboard derives from the live topics: the day's figures, the series of days, the load. Recomputed only when rows change. */
import { computed, signal } from "@preact/signals";
import { isDay } from "../lib/day.ts";
import { addDays, today } from "../lib/format.ts";
import { query } from "../lib/router.ts";
import { rowsOf, topic } from "../lib/stream.ts";
import { STATUSES, type Status } from "../ui/bits.tsx";

export interface Daily {
	date: string;
	status: Status;
	count: number;
	averageCompletionSeconds: number | null;
	validationRatio: number | null;
	lastRefreshedAt: string;
}
export interface Load {
	technicianId: number;
	technicianName: string | null;
	technicianEmail: string | null;
	openCount: number;
	completedToday: number;
	averageCompletionSeconds: number | null;
}
export interface User {
	id: number;
	fullName: string;
	email: string;
	role: string;
}
export const TECHNICIANS = "/api/users?role=TECH&size=200&sort=fullName,asc";
export interface Point {
	interventionId: number;
	latitude: number;
	longitude: number;
	status: Status;
	technicianId: number | null;
	plannedAt: string;
	updatedAt: string;
}
export interface Intervention {
	id: number;
	reference: string;
	title: string;
	description: string | null;
	status: Status;
	assignmentMode: "AUTO" | "MANUAL";
	plannedAt: string;
	startedAt: string | null;
	completedAt: string | null;
	validatedAt: string | null;
	createdAt: string;
	updatedAt: string;
	latitude: number | null;
	longitude: number | null;
	technician: { id: number; fullName: string; email: string } | null;
}

export interface Day {
	date: string;
	total: number;
	counts: Record<Status, number>;
	average: number | null;
	ratio: number | null;
}

const emptyDay = (date: string): Day => ({
	date,
	total: 0,
	counts: { SCHEDULED: 0, IN_PROGRESS: 0, COMPLETED: 0, VALIDATED: 0 },
	average: null,
	ratio: null,
});

const dailyRows = rowsOf<Daily>("daily");

export const days = computed(() => {
	const map = new Map<string, Day>();
	for (const r of dailyRows.value) {
		let d = map.get(r.date);
		if (!d) map.set(r.date, (d = emptyDay(r.date)));
		d.counts[r.status] = r.count;
		d.total += r.count;
		if (r.status === "COMPLETED") d.average = r.averageCompletionSeconds;
		if (r.status === "VALIDATED") d.ratio = r.validationRatio;
	}
	return map;
});

export const dailyReady = computed(() => topic("daily").value.ready || days.value.size > 0);

/* the day of the URL, or today when it names none; a day without rows is shown as such, and the last one with rows is offered */
export const day = computed(() => {
	const asked = query.value.get("date");
	return isDay(asked) ? asked : today();
});
export const lastDay = computed(() => [...days.value.keys()].reduce((a, b) => (b > a && b <= today() ? b : a), ""));
export const range = computed(() => {
	const n = Number(query.value.get("days"));
	return [7, 14, 30, 90].includes(n) ? n : 14;
});

export const dayOf = (date: string): Day => days.value.get(date) ?? emptyDay(date);
export const chosen = computed(() => dayOf(day.value));
export const before = computed(() => dayOf(addDays(day.value, -1)));
const span = (n: number): Day[] => Array.from({ length: n }, (_, i) => dayOf(addDays(day.value, i - n + 1)));
export const series = computed(() => span(range.value));
export const fortnight = computed(() => span(14));

export const load = computed(() =>
	[...rowsOf<Load>("load").value].sort((a, b) => b.openCount + b.completedToday - a.openCount - a.completedToday),
);

/* statuses that the map shows */
export const mapStatuses = computed<ReadonlySet<Status>>(() => {
	const q = query.value.get("show");
	return new Set(q === null ? STATUSES : STATUSES.filter((s) => q.split(",").includes(s)));
});

/* the place that the list asked the map to show */
export const spotlight = signal<{ id: number; at: [number, number] } | null>(null);
