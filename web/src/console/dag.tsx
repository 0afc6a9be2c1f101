/* The plan as a graph. The layout depends on the shape alone, so it stays while the numbers on it change. */
import dagre from "@dagrejs/dagre";
import type { JSX } from "preact";
import { useMemo, useRef } from "preact/hooks";
import { t } from "../i18n/index.ts";
import { bytes, compact, rate } from "../lib/format.ts";
import type { PlanNode } from "./model.ts";

const W = 208,
	H = 74;
interface Placed {
	id: string;
	x: number;
	y: number;
}
interface Line {
	key: string;
	from: string;
	points: { x: number; y: number }[];
}

interface Props {
	nodes: PlanNode[];
	edges: { from: number | string; to: number | string }[];
	selected: string | null;
	select: (id: string) => void;
}

function layout(nodes: PlanNode[], edges: Props["edges"]): { at: Map<string, Placed>; lines: Line[]; w: number; h: number } {
	const g = new dagre.graphlib.Graph();
	g.setGraph({ rankdir: "LR", nodesep: 22, ranksep: 58, marginx: 20, marginy: 20 });
	g.setDefaultEdgeLabel(() => ({}));
	for (const n of nodes) g.setNode(String(n.id), { width: W, height: H });
	for (const e of edges) g.setEdge(String(e.from), String(e.to));
	dagre.layout(g);
	const at = new Map(nodes.map((n) => [String(n.id), { id: String(n.id), x: g.node(String(n.id)).x, y: g.node(String(n.id)).y }]));
	const lines = g.edges().map((e) => {
		const a = at.get(e.v),
			b = at.get(e.w);
		const inner = (g.edge(e).points ?? []).slice(1, -1);
		const points = a && b ? [{ x: a.x + W / 2, y: a.y }, ...(inner.length > 1 ? inner : []), { x: b.x - W / 2, y: b.y }] : [];
		return { key: `${e.v}>${e.w}`, from: e.v, points };
	});
	const size = g.graph();
	return { at, lines, w: size.width ?? 400, h: size.height ?? 200 };
}

/* From the right side of a node to the left side of the next, level at both ends; edges over several ranks pass dagre's points between. */
function curve(p: { x: number; y: number }[]): string {
	const [first, ...rest] = p;
	if (!first) return "";
	let d = `M${first.x} ${first.y}`,
		from = first;
	for (const to of rest) {
		const mid = (from.x + to.x) / 2;
		d += `C${mid} ${from.y} ${mid} ${to.y} ${to.x} ${to.y}`;
		from = to;
	}
	return d;
}

const cut = (s: string, n: number): string => (s.length > n ? `${s.slice(0, n - 1)}…` : s);

export default function Dag({ nodes, edges, selected, select }: Props): JSX.Element {
	const shape = JSON.stringify([nodes.map((n) => n.id), edges]);
	const l = useMemo(() => layout(nodes, edges), [shape]);
	const host = useRef<HTMLDivElement>(null);
	const byId = new Map(nodes.map((n) => [String(n.id), n]));
	const key = (e: KeyboardEvent, id: string) => {
		if (e.key === "Enter" || e.key === " ") {
			e.preventDefault();
			select(id);
			return;
		}
		const to =
			e.key === "ArrowRight"
				? edges.find((x) => String(x.from) === id)?.to
				: e.key === "ArrowLeft"
					? edges.find((x) => String(x.to) === id)?.from
					: undefined;
		if (to === undefined) return;
		e.preventDefault();
		host.current?.querySelector<SVGGElement>(`[data-node="${CSS.escape(String(to))}"]`)?.focus();
	};
	return (
		<div class="dag" ref={host} role="group" aria-label={t().job.planLabel(nodes.length)} tabIndex={0}>
			<svg viewBox={`0 0 ${l.w} ${l.h}`} style={{ width: `max(${Math.round(l.w * 0.7)}px, min(100%, ${l.w}px))` }}>
				<defs>
					<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
						<path d="M0 0L8 4L0 8Z" />
					</marker>
				</defs>
				{l.lines.map((e) => {
					const [a, b] = [e.points[0], e.points[1]];
					const mid = a && b && { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 },
						from = byId.get(e.from);
					return (
						<g key={e.key}>
							<path class="edge" d={curve(e.points)} marker-end="url(#tip)" />
							{mid && from?.rowsOutPerSecond !== undefined && (
								<text class="edge-rate" x={mid.x} y={mid.y - 6}>
									{rate(from.rowsOutPerSecond)}
								</text>
							)}
						</g>
					);
				})}
				{nodes.map((n) => {
					const p = l.at.get(String(n.id));
					if (!p) return null;
					const busy = (n.rowsInPerSecond ?? n.rowsOutPerSecond ?? 0) > 0;
					const figures = [
						n.rowsIn !== undefined ? `${compact(n.rowsIn)} ${t().job.rowsIn}` : "",
						n.rowsOut !== undefined ? `${compact(n.rowsOut)} ${t().job.rowsOut}` : "",
						n.stateBytes ? bytes(n.stateBytes) : "",
					]
						.filter(Boolean)
						.join(" · ");
					return (
						<g
							key={String(n.id)}
							class={`node ${busy ? "tone-run" : "tone-idle"}`}
							data-node={String(n.id)}
							tabIndex={0}
							role="button"
							aria-pressed={selected === String(n.id)}
							aria-label={`${n.kind}. ${n.description}. ${figures}`}
							transform={`translate(${p.x - W / 2} ${p.y - H / 2})`}
							onClick={() => select(String(n.id))}
							onKeyDown={(e) => key(e, String(n.id))}
						>
							<title>{n.description}</title>
							<rect width={W} height={H} rx="7" />
							<rect class="band" y="8" width="4" height={H - 16} rx="2" />
							<text class="kind" x="16" y="22">
								{cut(n.kind, 28)}
							</text>
							<text class="what" x="16" y="41">
								{cut(n.description, 31)}
							</text>
							<text class="rate" x="16" y="60">
								{cut(figures, 32)}
							</text>
						</g>
					);
				})}
			</svg>
		</div>
	);
}
