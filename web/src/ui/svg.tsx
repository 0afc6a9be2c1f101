/* Small charts as SVG: sparkline, doughnut, stacked columns, stacked bars. Their numbers stand beside them as text or in a table. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { t } from "../i18n/index.ts";
import { num, percent, shortDay } from "../lib/format.ts";
import { useWidth } from "../lib/paint.ts";
import { STATUSES, type Status } from "./bits.tsx";
import { Shape } from "./icons.tsx";
import type { Day, Load } from "../dashboard/data.ts";

export function Sparkline({ values, label }: { values: (number | null)[]; label: string }): JSX.Element {
	const known = values.filter((v): v is number => v !== null);
	const top = Math.max(...known, 0),
		low = Math.min(...known, 0),
		high = top - low || 1;
	const step = 100 / Math.max(1, values.length - 1);
	let line = "",
		pen = "M";
	values.forEach((v, i) => {
		if (v === null) return void (pen = "M");
		line += `${pen}${(i * step).toFixed(1)} ${(27 - ((v - low) / high) * 24).toFixed(1)}`;
		pen = "L";
	});
	const whole = known.length === values.length && values.length > 1;
	return (
		<svg class="spark" viewBox="0 0 100 30" preserveAspectRatio="none" role="img" aria-label={label}>
			{whole && <path class="area" d={`${line}L100 30L0 30Z`} />}
			<path d={line} />
		</svg>
	);
}

export function Doughnut({ day }: { day: Day }): JSX.Element {
	const r = 52,
		around = 2 * Math.PI * r;
	let at = 0;
	const done = day.ratio;
	return (
		<div class="share">
			<svg
				width="148"
				height="148"
				viewBox="0 0 140 140"
				role="img"
				aria-label={STATUSES.map((s) => `${t().status[s]}: ${num(day.counts[s])}`).join(", ")}
			>
				<circle class="track" cx="70" cy="70" r={r} />
				{STATUSES.map((s) => {
					const part = day.total ? (day.counts[s] / day.total) * around : 0;
					const gap = part > 3 ? 1.5 : 0;
					const slice = (
						<circle
							key={s}
							class={`slice tone-${s}`}
							cx="70"
							cy="70"
							r={r}
							transform="rotate(-90 70 70)"
							stroke-dasharray={`${Math.max(0, part - gap)} ${around}`}
							stroke-dashoffset={-at}
						/>
					);
					at += part;
					return slice;
				})}
				<text class="share-mid" x="70" y="73" text-anchor="middle">
					{done === null ? "–" : percent(done / 100, 0)}
				</text>
				<text class="share-sub" x="70" y="89" text-anchor="middle">
					{t().chart.validated}
				</text>
			</svg>
			<ul class="share-list">
				{STATUSES.map((s) => (
					<li key={s}>
						<Shape tone={s} />
						<span>{t().status[s]}</span>
						<b>{num(day.counts[s])}</b>
						<span class="muted">{day.total ? percent(day.counts[s] / day.total) : "–"}</span>
					</li>
				))}
			</ul>
		</div>
	);
}

/* A round number at or above v, for an axis of four steps. */
function niceTop(v: number): number {
	const raw = Math.max(v, 4) / 4,
		p = 10 ** Math.floor(Math.log10(raw));
	return Math.ceil(([1, 2, 2.5, 5, 10].find((m) => m * p >= raw) ?? 10) * p) * 4;
}

export function StackedColumns({ days, height = 236 }: { days: Day[]; height?: number }): JSX.Element {
	const [ref, width] = useWidth<HTMLDivElement>();
	const [on, setOn] = useState(-1);
	const left = 34,
		bottom = 20,
		top = niceTop(Math.max(...days.map((d) => d.total)));
	const plot = height - bottom - 8,
		y = (v: number) => 8 + plot - (v / top) * plot;
	const step = (width - left) / days.length,
		bar = Math.max(2, Math.min(34, step * 0.68));
	const every = Math.ceil(days.length / Math.max(1, Math.floor((width - left) / 62)));
	const read = days[on];
	const key = (e: KeyboardEvent) => {
		const d = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
		if (!d) return;
		e.preventDefault();
		setOn((x) => Math.min(days.length - 1, Math.max(0, x < 0 ? days.length - 1 : x + d)));
	};
	return (
		<div
			class="chart-box"
			ref={ref}
			tabIndex={0}
			role="group"
			aria-label={`${t().chart.stacked}. ${t().chart.keys}`}
			onKeyDown={key}
			onMouseLeave={() => setOn(-1)}
			onBlur={() => setOn(-1)}
		>
			<div class="legend" aria-live="polite">
				{STATUSES.map((s) => (
					<span key={s}>
						<Shape tone={s} />
						{t().status[s]}
						{read && <b>{num(read.counts[s])}</b>}
					</span>
				))}
				{read && <span>{shortDay(read.date)}</span>}
			</div>
			{width > 0 && (
				<svg class="stack-svg" width={width} height={height} aria-hidden="true">
					{[0, 1, 2, 3, 4].map((i) => (
						<g key={i}>
							<line class="grid" x1={left} x2={width} y1={y((top * i) / 4)} y2={y((top * i) / 4)} />
							<text x={left - 8} y={y((top * i) / 4) + 4} text-anchor="end">
								{num((top * i) / 4)}
							</text>
						</g>
					))}
					{days.map((d, i) => {
						let sum = 0;
						const x = left + i * step;
						return (
							<g key={d.date} class={i === on ? "on" : ""} onMouseEnter={() => setOn(i)}>
								<rect class="bar-hit" x={x} y={8} width={step} height={plot} />
								{STATUSES.map((s) => {
									sum += d.counts[s];
									return (
										<rect
											key={s}
											class={`tone-${s}`}
											x={x + (step - bar) / 2}
											width={bar}
											y={y(sum)}
											height={Math.max(0, (d.counts[s] / top) * plot - (d.counts[s] ? 0.75 : 0))}
										/>
									);
								})}
								{(days.length - 1 - i) % every === 0 && (
									<text x={x + step / 2} y={height - 4} text-anchor="middle">
										{shortDay(d.date)}
									</text>
								)}
							</g>
						);
					})}
				</svg>
			)}
		</div>
	);
}

export function LoadBars({ rows }: { rows: Load[] }): JSX.Element {
	const top = Math.max(1, ...rows.map((r) => r.openCount + r.completedToday));
	const name = (r: Load) => r.technicianName ?? t().chart.unknownTech(String(r.technicianId));
	return (
		<>
			<div class="legend" style={{ marginBottom: "10px" }}>
				<span>
					<Shape tone="IN_PROGRESS" />
					{t().chart.open}
				</span>
				<span>
					<Shape tone="VALIDATED" />
					{t().chart.doneToday}
				</span>
			</div>
			<div class="bars" role="list">
				{rows.map((r) => (
					<div class="bar-row" role="listitem" key={r.technicianId} title={r.technicianEmail ?? ""}>
						<span class="bar-name">{name(r)}</span>
						<span class="bar-track" aria-hidden="true">
							<i class="tone-IN_PROGRESS" style={{ width: `${(r.openCount / top) * 100}%` }} />
							<i class="tone-VALIDATED" style={{ width: `${(r.completedToday / top) * 100}%` }} />
						</span>
						<span
							class="bar-sum"
							aria-label={`${t().chart.open} ${num(r.openCount)}, ${t().chart.doneToday} ${num(r.completedToday)}`}
						>
							<b>{num(r.openCount)}</b> · {num(r.completedToday)}
						</span>
					</div>
				))}
			</div>
		</>
	);
}

export function DayTable({ days, of }: { days: Day[]; of: readonly Status[] }): JSX.Element {
	return (
		<div class="values" tabIndex={0}>
			<table class="table">
				<caption class="sr">{t().word.table}</caption>
				<thead>
					<tr>
						<th scope="col">{t().word.date}</th>
						{of.map((s) => (
							<th scope="col" class="num" key={s}>
								{t().status[s]}
							</th>
						))}
						<th scope="col" class="num">
							{t().word.total}
						</th>
					</tr>
				</thead>
				<tbody>
					{days.map((d) => (
						<tr key={d.date}>
							<td>{shortDay(d.date)}</td>
							{of.map((s) => (
								<td class="num" key={s}>
									{num(d.counts[s])}
								</td>
							))}
							<td class="num">{num(d.total)}</td>
						</tr>
					))}
				</tbody>
			</table>
		</div>
	);
}
