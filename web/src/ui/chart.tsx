/* uPlot for a series of days: drawn on a canvas, so it has a name, arrow keys that read it, and the same numbers as a table on demand. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { t } from "../i18n/index.ts";
import { num, shortDay } from "../lib/format.ts";
import { useWidth } from "../lib/paint.ts";
import { dark, lang } from "../lib/prefs.ts";

const seconds = (date: string): number => Date.parse(`${date}T00:00:00Z`) / 1000;
const dateOf = (s: number): string => new Date(s * 1000).toISOString().slice(0, 10);

function colour(name: string): string {
	const probe = document.createElement("i");
	probe.style.color = `var(${name})`;
	document.body.append(probe);
	const c = getComputedStyle(probe).color;
	probe.remove();
	return c;
}

export function DayLine({
	label,
	dates,
	values,
	height,
}: {
	label: string;
	dates: string[];
	values: number[];
	height: number;
}): JSX.Element {
	const [measure, width] = useWidth<HTMLDivElement>();
	const host = useRef<HTMLDivElement | null>(null);
	const plot = useRef<uPlot | null>(null);
	const [at, setAt] = useState<number | null>(null);
	const data = (): uPlot.AlignedData => [dates.map(seconds), values];
	useEffect(() => {
		if (!host.current || !width) return;
		const accent = colour("--accent"),
			grid = colour("--border"),
			text = colour("--muted");
		const font = `11px ${getComputedStyle(document.body).fontFamily}`;
		const axis = { stroke: text, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
		const u = new uPlot(
			{
				width,
				height,
				legend: { show: false },
				cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
				tzDate: (s) => uPlot.tzDate(new Date(s * 1000), "UTC"),
				padding: [10, 12, 0, 0],
				scales: { x: { time: true }, y: { range: (_u, _min, max) => [0, Math.max(4, max * 1.12)] } },
				axes: [
					{
						...axis,
						grid: { show: false },
						size: 26,
						space: 64,
						incrs: [1, 2, 3, 7, 14, 28].map((d) => d * 86400),
						values: (_u, list) => list.map((s) => shortDay(dateOf(s))),
					},
					{
						...axis,
						size: 38,
						space: 36,
						incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000, 1e5, 1e6],
						values: (_u, list) => list.map((v) => num(v)),
					},
				],
				series: [
					{},
					{
						stroke: accent,
						width: 2,
						fill: (p) => {
							const g = p.ctx.createLinearGradient(0, p.bbox.top, 0, p.bbox.top + p.bbox.height);
							g.addColorStop(0, accent.replace(/rgba?\(([^)]+)\)/, "rgba($1, .26)"));
							g.addColorStop(1, accent.replace(/rgba?\(([^)]+)\)/, "rgba($1, 0)"));
							return g;
						},
						points: { show: dates.length < 40, size: 5, fill: accent },
					},
				],
				hooks: { setCursor: [(p) => setAt(p.cursor.idx ?? null)] },
			},
			data(),
			host.current,
		);
		plot.current = u;
		return () => {
			u.destroy();
			plot.current = null;
		};
	}, [width, height, dark.value, lang.value, dates.length]);
	useEffect(() => plot.current?.setData(data()), [dates.join(), values.join()]);

	const key = (e: KeyboardEvent) => {
		const u = plot.current,
			d = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
		if (!u || !d) return;
		e.preventDefault();
		const i = Math.min(dates.length - 1, Math.max(0, at === null ? dates.length - 1 : at + d));
		u.setCursor({ left: u.valToPos(seconds(dates[i] ?? ""), "x"), top: 10 });
	};
	return (
		<div class="chart-box" tabIndex={0} role="group" aria-label={`${label}. ${t().chart.keys}`} onKeyDown={key} ref={measure}>
			<div ref={host} style={{ height: `${height}px` }} aria-hidden="true" />
			<div class="chart-read" aria-live="polite">
				{at !== null && dates[at] && (
					<>
						{shortDay(dates[at])} <b>{num(values[at])}</b>
					</>
				)}
			</div>
		</div>
	);
}
