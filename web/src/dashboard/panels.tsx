/* Charts and the panels of insights and forecast. */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { t } from "../i18n/index.ts";
import { duration, num, percent, shortDay, calendarDay } from "../lib/format.ts";
import { useCalm, useGet } from "../lib/hooks.ts";
import { afterPaint } from "../lib/paint.ts";
import { setQuery } from "../lib/router.ts";
import { topic } from "../lib/stream.ts";
import { Button, Card, Empty, ErrorBox, Skeleton, STATUSES, type Status } from "../ui/bits.tsx";
import type { DayLine } from "../ui/chart.tsx";
import { DayTable, Doughnut, LoadBars, StackedColumns } from "../ui/svg.tsx";
import { chosen, dailyReady, day, fortnight, load, range, series, TECHNICIANS, type User } from "./data.ts";

function RangeChoice(): JSX.Element {
	return (
		<div class="segments" role="group" aria-label={t().chart.range}>
			{[7, 14, 30, 90].map((n) => (
				<button
					key={n}
					type="button"
					aria-pressed={range.value === n}
					onClick={() => setQuery({ days: n === 14 ? null : String(n) }, false)}
				>
					{t().chart.days(n)}
				</button>
			))}
		</div>
	);
}

function TableToggle({ on, set }: { on: boolean; set: (v: boolean) => void }): JSX.Element {
	return <Button bare kind="ghost" icon="table" label={t().word.table} pressed={on} onClick={() => set(!on)} />;
}

const LINE_HEIGHT = 190;
const dayLine = signal<typeof DayLine | null>(null);
/* after the first paint: its script is as large as everything else on the board */
const loadLine = (): void => afterPaint(() => void import("../ui/chart.tsx").then((m) => (dayLine.value = m.DayLine)));

export function TrendCard(): JSX.Element {
	const [table, setTable] = useState(false);
	const s = series.value,
		any = s.some((d) => d.total),
		Line = dayLine.value;
	useEffect(loadLine, []);
	return (
		<Card
			class="c-trend"
			title={t().chart.trend}
			aside={
				<>
					<RangeChoice />
					<TableToggle on={table} set={setTable} />
				</>
			}
		>
			{!dailyReady.value ? (
				<Skeleton height={LINE_HEIGHT} />
			) : any && !Line ? (
				<Skeleton height={LINE_HEIGHT} />
			) : any && Line ? (
				<Line label={t().chart.trend} dates={s.map((d) => d.date)} values={s.map((d) => d.total)} height={LINE_HEIGHT} />
			) : (
				<Empty title={t().chart.empty} why={t().chart.emptyWhy} />
			)}
			{table && <DayTable days={s} of={[]} />}
		</Card>
	);
}

export function ShareCard(): JSX.Element {
	return (
		<Card class="c-share" title={t().chart.share} aside={<span class="muted">{calendarDay(day.value)}</span>}>
			{!dailyReady.value ? (
				<Skeleton height={148} />
			) : chosen.value.total ? (
				<Doughnut day={chosen.value} />
			) : (
				<Empty title={t().kpi.noRows} />
			)}
		</Card>
	);
}

export function StackCard(): JSX.Element {
	const [table, setTable] = useState(false);
	const s = series.value;
	return (
		<Card class="c-stack" title={t().chart.stacked} aside={<TableToggle on={table} set={setTable} />}>
			{!dailyReady.value ? (
				<Skeleton height={230} />
			) : s.some((d) => d.total) ? (
				<StackedColumns days={s} />
			) : (
				<Empty title={t().chart.empty} why={t().chart.emptyWhy} />
			)}
			{table && <DayTable days={s} of={STATUSES} />}
		</Card>
	);
}

export function LoadCard(): JSX.Element {
	const users = useGet<{ content: User[] }>(TECHNICIANS);
	const names = new Map(users.data?.content.map((u) => [u.id, u]));
	/* the stream has the table's columns; who a technician is stands elsewhere */
	const rows = load.value.slice(0, 8).map((r) => ({
		...r,
		technicianName: r.technicianName ?? names.get(r.technicianId)?.fullName ?? null,
		technicianEmail: r.technicianEmail ?? names.get(r.technicianId)?.email ?? null,
	}));
	return (
		<Card
			class="c-load"
			title={t().chart.load}
			aside={
				<span class="muted">
					{rows.length < load.value.length ? t().word.showing("1", num(rows.length), num(load.value.length)) : ""}
				</span>
			}
		>
			{rows.length ? (
				<LoadBars rows={rows} />
			) : topic("load").value.ready ? (
				<Empty title={t().chart.empty} />
			) : (
				<Skeleton height={230} />
			)}
		</Card>
	);
}

interface Insights {
	date: string;
	headline: string;
	trendDirection: "UP" | "DOWN" | "FLAT";
	trendPercentage: number | null;
	validationRate: number | null;
	validationAssessment: string;
	slaAssessment: string;
	highlights: string[];
}
interface Forecast {
	method: string;
	smoothingFactor: number;
	lastObservedCount: number | null;
	baselineAverage: number | null;
	points: { date: string; predictedCount: number }[];
}

function ForecastLine({ f }: { f: Forecast }): JSX.Element {
	const top = Math.max(1, ...f.points.map((p) => p.predictedCount)) * 1.15;
	const at = (i: number, v: number) => [20 + (i * 280) / Math.max(1, f.points.length - 1), 70 - (v / top) * 48] as const;
	const pts = f.points.map((p, i) => at(i, p.predictedCount));
	return (
		<svg
			class="forecast-svg"
			viewBox="0 0 320 96"
			role="img"
			aria-label={f.points.map((p) => `${shortDay(p.date)}: ${num(p.predictedCount)}`).join(", ")}
		>
			<path class="line" d={pts.map(([x, y], i) => `${i ? "L" : "M"}${x} ${y}`).join("")} />
			{f.points.map((p, i) => {
				const [x, y] = pts[i] ?? [0, 0];
				return (
					<g key={p.date}>
						<circle cx={x} cy={y} r="3.5" />
						<text class="v" x={x} y={y - 9}>
							{num(p.predictedCount)}
						</text>
						<text x={x} y="92">
							{shortDay(p.date)}
						</text>
					</g>
				);
			})}
		</svg>
	);
}

/* of the seven days up to the chosen one; said in the viewer's language, so not with the server's sentences */
function weekOf(what: "total" | Status): number {
	return fortnight.value.slice(-7).reduce((n, d) => n + (what === "total" ? d.total : d.counts[what]), 0);
}

export function InsightCard(): JSX.Element {
	/* asked again when the day's figures have been quiet for a moment */
	const again = useCalm(chosen.value.total * 1e6 + chosen.value.counts.VALIDATED * 1e3 + chosen.value.counts.COMPLETED, 1500);
	const insights = useGet<Insights>(`/api/dashboard/ai/insights?date=${day.value}`, again);
	const forecast = useGet<Forecast>(`/api/dashboard/ai/forecast?date=${day.value}`, again);
	const i = insights.data,
		f = forecast.data;
	return (
		<Card class="c-ai" title={t().ai.insights}>
			{insights.error && <ErrorBox error={insights.error} retry={insights.reload} stale={!!i} />}
			{i ? (
				<div class="insight">
					<p class="insight-head">{t().ai.headline(weekOf("total"), i.trendDirection)}</p>
					<div class="facts">
						<span class="tag">
							{i.trendDirection === "UP" ? "▲" : i.trendDirection === "DOWN" ? "▼" : "="} {t().ai[i.trendDirection]}
							{i.trendPercentage !== null ? ` ${percent(i.trendPercentage / 100)}` : ""}
						</span>
						{chosen.value.average !== null && (
							<span class="tag">
								{t().kpi.average} {duration(chosen.value.average)}
							</span>
						)}
						{i.validationRate !== null && (
							<span class="tag">
								{t().kpi.ratio} {percent(i.validationRate / 100, 0)}
							</span>
						)}
					</div>
					<ul>
						<li>{t().ai.planned(chosen.value.total)}</li>
						<li>{t().ai.open(weekOf("SCHEDULED") + weekOf("IN_PROGRESS"))}</li>
						<li>{t().ai.finished(weekOf("COMPLETED") + weekOf("VALIDATED"))}</li>
					</ul>
				</div>
			) : (
				!insights.error && <Skeleton lines={5} />
			)}
			{f && f.points.length > 0 && (
				<div class="forecast">
					<h3>
						<span>{t().ai.forecast}</span>
						<span>
							{t().ai.baseline} {num(f.baselineAverage, 1)}
						</span>
					</h3>
					<ForecastLine f={f} />
				</div>
			)}
		</Card>
	);
}
