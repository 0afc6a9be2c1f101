/* The map's card: the filter of statuses, and the place where the map is put; the view is in the URL and belongs to the viewer. */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { t } from "../i18n/index.ts";
import { num } from "../lib/format.ts";
import { afterPaint, idle } from "../lib/paint.ts";
import { lang } from "../lib/prefs.ts";
import { setQuery } from "../lib/router.ts";
import { topic } from "../lib/stream.ts";
import { Button, Card, STATUSES, type Status } from "../ui/bits.tsx";
import { Shape } from "../ui/icons.tsx";
import { mapStatuses } from "./data.ts";
import type { LiveMap } from "./livemap.tsx";

const TOPIC = "map";

function Filter(): JSX.Element {
	const on = mapStatuses.value;
	const counts: Record<Status, number> = { SCHEDULED: 0, IN_PROGRESS: 0, COMPLETED: 0, VALIDATED: 0 };
	for (const r of topic(TOPIC).value.rows.values()) counts[r["status"] as Status]++;
	const toggle = (s: Status) => {
		const next = STATUSES.filter((x) => (x === s ? !on.has(x) : on.has(x)));
		setQuery({ show: next.length === STATUSES.length ? null : next.join(",") || "none" }, false);
	};
	return (
		<div class="map-filter" role="group" aria-label={t().map.filter}>
			{STATUSES.map((s) => (
				<button key={s} type="button" aria-pressed={on.has(s)} onClick={() => toggle(s)} data-status={s}>
					<Shape tone={s} />
					{t().status[s]} <b>{num(counts[s])}</b>
				</button>
			))}
		</div>
	);
}

export function MapCard(): JSX.Element {
	const host = useRef<HTMLDivElement>(null);
	const live = useRef<LiveMap | null>(null);
	const rows = topic(TOPIC).value;
	useEffect(() => {
		let gone = false;
		const place = async () => {
			await idle();
			const m = await import("./livemap.tsx");
			if (host.current && !gone) live.current = new m.LiveMap(host.current);
		};
		afterPaint(() => void place());
		return () => {
			gone = true;
			live.current?.destroy();
			live.current = null;
		};
	}, [lang.value]);
	return (
		<Card
			class="c-map"
			id="map"
			title={t().map.title}
			flush
			aside={
				<>
					<Filter />
					<Button bare kind="ghost" icon="fit" label={t().map.fit} onClick={() => live.current?.fit()} />
				</>
			}
		>
			<div class="map-box">
				<div class="map" ref={host} role="application" aria-label={`${t().map.label(rows.rows.size)}. ${t().map.keys}`} />
				{rows.ready && rows.rows.size === 0 && <p class="map-empty">{t().map.empty}</p>}
			</div>
		</Card>
	);
}
