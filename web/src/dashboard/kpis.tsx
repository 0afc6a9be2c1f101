/* Seven cards of the chosen day, each with a fortnight's line and the difference to the day before. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../i18n/index.ts";
import { addDays, duration, num, percent, shortDay } from "../lib/format.ts";
import { STATUSES } from "../ui/bits.tsx";
import { Shape, type Tone } from "../ui/icons.tsx";
import { Sparkline } from "../ui/svg.tsx";
import { before, chosen, dailyReady, day, fortnight } from "./data.ts";

interface CardProps {
	id: string;
	name: string;
	value: string;
	tone?: Tone;
	difference: number | null;
	show: (n: number) => string;
	line: (number | null)[];
}

function Kpi(p: CardProps): JSX.Element {
	const last = useRef(p.value);
	const [turn, setTurn] = useState(0);
	useEffect(() => {
		if (last.current !== p.value) setTurn((n) => n + 1);
		last.current = p.value;
	}, [p.value]);
	const d = p.difference;
	return (
		<article class={`card kpi ${p.tone ? `tone-${p.tone}` : "accent"}`} data-kpi={p.id}>
			<div class="kpi-name">
				{p.tone && <Shape tone={p.tone} />}
				<span>{p.name}</span>
			</div>
			<div key={turn} class={`kpi-value ${turn ? "changed" : ""}`} data-value>
				{p.value}
			</div>
			<div class="kpi-delta">
				{d === null ? (
					"–"
				) : d === 0 ? (
					t().kpi.same
				) : (
					<b>
						{d > 0 ? "▲" : "▼"} {p.show(Math.abs(d))}
					</b>
				)}{" "}
				{t().kpi.versus(shortDay(addDays(day.value, -1)))}
			</div>
			<Sparkline values={p.line} label={t().kpi.trendOf(p.name)} />
		</article>
	);
}

const minus = (a: number | null, b: number | null): number | null => (a === null || b === null ? null : a - b);

export function Kpis(): JSX.Element {
	const ready = dailyReady.value,
		c = chosen.value,
		b = before.value,
		f = ready ? fortnight.value : [];
	const count = (n: number) => (ready ? num(n) : "–"),
		more = (n: number) => (ready ? n : null);
	return (
		<div class="kpis" aria-busy={!ready}>
			<Kpi
				id="total"
				name={t().kpi.total}
				value={count(c.total)}
				difference={more(c.total - b.total)}
				show={(n) => num(n)}
				line={f.map((x) => x.total)}
			/>
			{STATUSES.map((s) => (
				<Kpi
					key={s}
					id={s}
					name={t().status[s]}
					tone={s}
					value={count(c.counts[s])}
					difference={more(c.counts[s] - b.counts[s])}
					show={(n) => num(n)}
					line={f.map((x) => x.counts[s])}
				/>
			))}
			<Kpi
				id="average"
				name={t().kpi.average}
				value={duration(c.average)}
				difference={minus(c.average, b.average)}
				show={duration}
				line={f.map((x) => x.average)}
			/>
			<Kpi
				id="ratio"
				name={t().kpi.ratio}
				value={c.ratio === null ? "–" : percent(c.ratio / 100)}
				difference={minus(c.ratio, b.ratio)}
				show={(n) => `${num(n, 1)} pt`}
				line={f.map((x) => x.ratio)}
			/>
		</div>
	);
}
