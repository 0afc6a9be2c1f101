/* The badge of the live connection, the freshness of the jobs, and the banner when the server is gone. */
import { computed, effect, signal } from "@preact/signals";
import type { JSX } from "preact";
import { t } from "../i18n/index.ts";
import { duration } from "../lib/format.ts";
import { heardAt, link, paused, retryAt, rowsOf, setPaused, topic } from "../lib/stream.ts";
import { Button, now } from "./bits.tsx";
import { Shape, type Tone } from "./icons.tsx";

export interface Freshness {
	job: string;
	state: string;
	reason: string | null;
	lsn: string;
	committedAt: string;
	appliedAt: string;
	lagMs: number | null;
}
const freshness = rowsOf<Freshness>("freshness");
/* what has failed before what is on its way, and then what lags most */
const trouble = (f: Freshness) => (f.state === "FAILED" ? 2e12 : f.state !== "RUNNING" ? 1e12 : 0) + (f.lagMs ?? 0);
const worst = computed(() => freshness.value.reduce<Freshness | null>((a, b) => (!a || trouble(b) > trouble(a) ? b : a), null));

const shown = computed<"live" | "connecting" | "reconnecting" | "paused" | "disconnected" | "polling">(() =>
	paused.value ? "paused" : link.value,
);
const TONE: Record<string, Tone> = {
	live: "run",
	polling: "run",
	connecting: "unknown",
	reconnecting: "warn",
	paused: "idle",
	disconnected: "fail",
};

/* the word changes for screen readers only when the state does, not with every age */
const announced = signal("");
effect(() => {
	announced.value = t().live[shown.value];
});

export function LiveBadge(): JSX.Element {
	const s = shown.value;
	const age = heardAt.value ? Math.max(0, now.value - heardAt.value) / 1000 : null;
	const ageText = age === null ? "" : age < 1.5 ? t().live.now : t().live.ago(duration(Math.round(age)));
	return (
		<div class="live">
			<span class={`live-badge ${s}`} data-link={s}>
				<Shape tone={TONE[s] ?? "unknown"} />
				<span>{t().live[s]}</span>
				{age !== null && <span class="live-age">{ageText}</span>}
			</span>
			<Button
				bare
				kind="ghost"
				icon={paused.value ? "play" : "pause"}
				label={paused.value ? t().live.resume : t().live.pause}
				pressed={paused.value}
				onClick={() => setPaused(!paused.peek())}
			/>
			<span class="sr" role="status" aria-live="polite">
				{announced.value}
			</span>
		</div>
	);
}

export function FreshnessBadge(): JSX.Element | null {
	const f = worst.value;
	/* its place is kept until it is known that there is no job */
	if (!f) return topic("freshness").value.ready ? null : <span class="fresh">–</span>;
	const failed = f.state === "FAILED";
	const bad = failed ? "fail" : f.state !== "RUNNING" || (f.lagMs ?? 0) > 5000 ? "warn" : "ok";
	const text = failed ? t().state.FAILED : f.lagMs === null ? "–" : t().live.behind(duration(f.lagMs / 1000));
	return (
		<span class="fresh" title={`${t().live.freshTip}: ${f.job}${f.reason ? ` (${f.reason})` : ""}`}>
			<Shape tone={bad} />
			<span class="fresh-word">{t().live.freshness}</span>
			<span class="fresh-value">{text}</span>
		</span>
	);
}

export function Banner(): JSX.Element | null {
	if (link.value !== "disconnected" || paused.value) return null;
	const wait = Math.ceil((retryAt.value - now.value) / 1000);
	return (
		<div class="banner" role="alert">
			<Shape tone="fail" size={14} />
			<span>
				{t().live.banner} {wait > 0 ? t().live.retry(duration(wait)) : t().live.retryNow}
			</span>
		</div>
	);
}

/* class of the content: grey while it can't be true any more */
export const staleClass = computed(() => (link.value === "disconnected" && !paused.value ? "stale" : ""));
