/* Icons as inline SVG, drawn on 16 units; those of states differ in shape, not in colour alone. */
import type { JSX } from "preact";

export const PATHS = {
	search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10Zm3.6-1.400L14 14",
	pause: "M5.5 3v10M10.5 3v10",
	play: "M5 3l8 5-8 5V3Z",
	gear: "M3 4.5h7m3 0h0M3 8h2m3 0h5M3 11.5h6m3 0h1M11.5 3v3M6.5 6.5v3M10.5 10v3",
	close: "M4 4l8 8M12 4l-8 8",
	plus: "M8 3v10M3 8h10",
	pencil: "M3 13l.7-3L10.5 3.200l2.3 2.300L6 12.3 3 13Z",
	trash: "M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5l.6 8.5h5.800l.6-8.5M7 7v4M9 7v4",
	next: "M6 3.5L10.5 8 6 12.5",
	previous: "M10 3.5L5.5 8l4.5 4.5",
	down: "M3.5 6L8 10.5 12.5 6",
	up: "M3.5 10L8 5.5 12.5 10",
	copy: "M6 5.5h7v8H6v-8ZM3 10.5v-8h7",
	pin: "M8 14s4.5-4.3 4.5-7.700A4.5 4.5 0 0 0 3.5 6.300C3.5 9.7 8 14 8 14Zm0-6a1.6 1.6 0 1 0 0-3.200A1.6 1.6 0 0 0 8 8Z",
	fit: "M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3",
	home: "M2.5 8L8 3l5.5 5M4 7v6h8V7",
	topic: "M2.5 4h11M2.5 8h11M2.5 12h7",
	group: "M5.5 7.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM2 13c0-2.5 1.5-3.5 3.5-3.5S9 10.5 9 13M11 7.5a1.7 1.7 0 1 0 0-3.4M11 9.5c2 0 3 1.2 3 3.5",
	plug: "M6 2v3M10 2v3M4.5 5h7v2.5a3.5 3.5 0 0 1-7 0V5ZM8 11v3",
	job: "M3 3h4v3H3V3ZM9 10h4v3H9v-3ZM5 6v5.5h4M9 4.5h2V10",
	restart: "M13 8a5 5 0 1 1-1.6-3.700M13 2v3h-3",
	stop: "M4 4h8v8H4V4Z",
	link: "M6.5 9.5l3-3M7 5l1.5-1.5a2.5 2.5 0 0 1 4 4L11 9M9 11l-1.5 1.5a2.5 2.5 0 0 1-4-4L5 7",
	download: "M8 2.5v7M5 7l3 3 3-3M3 13h10",
	arrow: "M3 8h9M9 5l3 3-3 3",
	table: "M2.5 3.5h11v9h-11v-9ZM2.5 6.5h11M6 6.5v6",
	dash: "M2.5 13V9h3v4M6.5 13V3h3v10M10.5 13V6h3v7",
	out: "M9 3h4v4M13 3L7.5 8.5M11 9.5V13H3V5h3.5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16, class: c }: { name: IconName; size?: number; class?: string }): JSX.Element {
	return (
		<svg class={`icon ${c ?? ""}`} width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
			<path d={PATHS[name]} />
		</svg>
	);
}

/* Shapes of severity and of an intervention's status; the hue comes from CSS by the class. */
export type Tone = "run" | "ok" | "warn" | "fail" | "idle" | "unknown" | "SCHEDULED" | "IN_PROGRESS" | "COMPLETED" | "VALIDATED";

export function Shape({ tone, size = 12 }: { tone: Tone; size?: number }): JSX.Element {
	const stroke = {
		fill: "none",
		stroke: "currentColor",
		"stroke-width": 2,
		"stroke-linecap": "round",
		"stroke-linejoin": "round",
	} as const;
	const inside: Record<Tone, JSX.Element> = {
		run: <circle cx="6" cy="6" r="4.5" fill="currentColor" />,
		ok: <path d="M1.8 6.400l2.7 2.7 5.7-6" {...stroke} />,
		warn: <path d="M6 1l5.3 9.700H.7L6 1Z" fill="currentColor" />,
		fail: <path d="M3.7.8h4.600l2.9 2.900v4.600l-2.9 2.900H3.700L.8 8.300V3.700L3.7.8Z" fill="currentColor" />,
		idle: <path d="M3.5 2v8M8.5 2v8" {...stroke} stroke-width="2.6" />,
		unknown: <circle cx="6" cy="6" r="4.3" {...stroke} stroke-width="1.6" stroke-dasharray="2 2.2" />,
		SCHEDULED: <circle cx="6" cy="6" r="4.2" {...stroke} />,
		IN_PROGRESS: (
			<g>
				<circle cx="6" cy="6" r="4.2" {...stroke} stroke-width="1.8" />
				<path d="M6 1.800a4.2 4.2 0 0 1 0 8.400Z" fill="currentColor" />
			</g>
		),
		COMPLETED: <rect x="1.5" y="1.5" width="9" height="9" rx="1.2" fill="currentColor" />,
		VALIDATED: <path d="M1.8 6.400l2.7 2.7 5.7-6" {...stroke} stroke-width="2.4" />,
	};
	return (
		<svg class={`shape tone-${tone}`} width={size} height={size} viewBox="0 0 12 12" aria-hidden="true">
			{inside[tone]}
		</svg>
	);
}

const TONES: Record<string, Tone> = {
	RUNNING: "run",
	PAUSED: "idle",
	STOPPED: "idle",
	FAILED: "fail",
	UNASSIGNED: "unknown",
	ok: "ok",
	warning: "warn",
	failed: "fail",
	degraded: "warn",
	DEGRADED: "warn",
	CREATED: "idle",
	STARTING: "run",
	BACKFILL: "run",
	CANCELED: "idle",
	CANCELLED: "idle",
	CANCELLING: "warn",
	FINISHED: "ok",
	RESTARTING: "warn",
	Stable: "ok",
	Empty: "idle",
	Dead: "unknown",
	PreparingRebalance: "warn",
	CompletingRebalance: "warn",
	pending: "unknown",
	SCHEDULED: "SCHEDULED",
	IN_PROGRESS: "IN_PROGRESS",
	COMPLETED: "COMPLETED",
	VALIDATED: "VALIDATED",
};
export const toneOf = (state: string): Tone => TONES[state] ?? "unknown";
