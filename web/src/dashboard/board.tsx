/* The board: everything below the header. */
import type { JSX } from "preact";
import { t } from "../i18n/index.ts";
import { addDays, calendarDay, today } from "../lib/format.ts";
import { painted } from "../lib/paint.ts";
import { setQuery } from "../lib/router.ts";
import { Button, Skeleton } from "../ui/bits.tsx";
import { chosen, dailyReady, day, lastDay } from "./data.ts";
import { Kpis } from "./kpis.tsx";
import { ListCard } from "./list.tsx";
import { MapCard } from "./map.tsx";
import { InsightCard, LoadCard, ShareCard, StackCard, TrendCard } from "./panels.tsx";

function DateChoice(): JSX.Element {
	const go = (date: string) => setQuery({ date: date === today() ? null : date }, false);
	const d = day.value;
	return (
		<div class="date-nav">
			<Button bare kind="ghost" icon="previous" label={t().kpi.earlier} onClick={() => go(addDays(d, -1))} />
			<input
				class="input"
				type="date"
				aria-label={t().kpi.day}
				value={d}
				onChange={(e) => e.currentTarget.value && go(e.currentTarget.value)}
			/>
			<Button bare kind="ghost" icon="next" label={t().kpi.later} onClick={() => go(addDays(d, 1))} />
			<Button label={t().kpi.today} disabled={d === today()} onClick={() => go(today())} />
		</div>
	);
}

export function Board(): JSX.Element {
	const nothing = dailyReady.value && chosen.value.total === 0 && lastDay.value && lastDay.value !== day.value;
	return (
		<div class="board">
			<div class="bar">
				<h1>{calendarDay(day.value)}</h1>
				<span class="latest">{nothing && <a href={`?date=${lastDay.value}`}>{t().kpi.latest(calendarDay(lastDay.value))}</a>}</span>
				<DateChoice />
			</div>
			<Kpis />
			<MapCard />
			<TrendCard />
			<ShareCard />
			{painted.value ? (
				<>
					<StackCard />
					<LoadCard />
					<InsightCard />
					<ListCard />
				</>
			) : (
				<Skeleton height={1000} />
			)}
		</div>
	);
}
