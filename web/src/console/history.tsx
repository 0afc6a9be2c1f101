/* What a figure did while the page was open: the last minute, a value a second, as a line. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { now } from "../ui/bits.tsx";
import { paused } from "../lib/stream.ts";
import { Sparkline } from "../ui/svg.tsx";
import { t } from "../i18n/index.ts";

const KEPT = 60;

export function useHistory(value: number | null | undefined): (number | null)[] {
	const [list, set] = useState<(number | null)[]>([]);
	const latest = useRef(value);
	latest.current = value;
	useEffect(() => {
		if (!paused.peek() && latest.current !== undefined) set((l) => [...l.slice(1 - KEPT), latest.current ?? null]);
	}, [now.value]);
	return list;
}

interface Props {
	name: string;
	value: number | null | undefined;
	show: (n: number | null | undefined) => string;
}

/* A figure with its line; wide enough for a minute from the start, so that the line grows from the right. */
export function Followed({ name, value, show }: Props): JSX.Element {
	const list = useHistory(value);
	const known = list.filter((v): v is number => v !== null),
		top = known.length ? Math.max(...known) : null;
	const padded = [...Array<null>(KEPT - list.length).fill(null), ...list];
	return (
		<div class="followed">
			<div class="followed-head">
				<span class="fact-name">{name}</span>
				<span class="fact-value">{show(value)}</span>
			</div>
			<Sparkline values={padded} label={`${name}: ${show(value)}`} />
			<div class="followed-foot muted">
				<span>{t().word.lastMinutes}</span>
				<span>
					{t().word.largest} {show(top)}
				</span>
			</div>
		</div>
	);
}
