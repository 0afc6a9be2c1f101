/* Jobs: the list, and one with its plan, state, checkpoint, SQL and exceptions. */
import { signal } from "@preact/signals";
import type { ComponentType, JSX } from "preact";
import { useEffect } from "preact/hooks";
import { t } from "../i18n/index.ts";
import { bytes, duration, num, rate } from "../lib/format.ts";
import { useGet, useTopics } from "../lib/hooks.ts";
import { navigate, query, setQuery } from "../lib/router.ts";
import { rowsOf, topic } from "../lib/stream.ts";
import { Card, confirmation, Copy, Empty, ErrorBox, now, Skeleton, State, When } from "../ui/bits.tsx";
import { Followed } from "./history.tsx";
import { byTrouble, type Job } from "./model.ts";
import { planOf, type Checkpoint, type FlinkCheckpoints, type FlinkExceptions, type FlinkJob, type Plan as PlanShape } from "./plan.ts";
import { Act, Code, Fact, Head, Links, List, Tabs, tabOf, useAction, useRate } from "./parts.tsx";
import { Table, type Column } from "../ui/table.tsx";
import type DagType from "./dag.tsx";

const rows = rowsOf<Job>("jobs");
type DagProps = Parameters<typeof DagType>[0];
const dag = signal<ComponentType<DagProps> | null>(null);

const columns = (): Column<Job>[] => [
	{
		id: "name",
		name: t().word.name,
		sort: "name",
		class: "name",
		cell: (j) => <a href={`/jobs/${encodeURIComponent(j.name)}`}>{j.name}</a>,
		value: (j) => j.name,
	},
	{ id: "state", name: t().word.state, sort: "state", cell: (j) => <State state={j.state} />, value: (j) => j.state },
	{
		id: "lag",
		name: t().job.freshness,
		sort: "lag",
		num: true,
		cell: (j) => (j.lagMs === null ? "–" : duration(j.lagMs / 1000)),
		value: (j) => j.lagMs,
	},
	{ id: "read", name: t().job.read, sort: "read", num: true, cell: (j) => num(j.rowsRead), value: (j) => j.rowsRead },
	{ id: "written", name: t().job.written, sort: "written", num: true, cell: (j) => num(j.rowsWritten), value: (j) => j.rowsWritten },
	{ id: "size", name: t().job.stateSize, sort: "size", num: true, cell: (j) => bytes(j.stateBytes), value: (j) => j.stateBytes },
	{
		id: "checkpoint",
		name: t().job.checkpoint,
		class: "nowrap",
		cell: (j) => (j.checkpoint ? <When at={j.checkpoint.at} /> : t().job.never),
		value: (j) => j.checkpoint?.at,
	},
	{
		id: "connector",
		name: t().nav.connectors,
		cell: (j) => <Links base="/connectors" names={j.connector ? [j.connector] : []} />,
		value: (j) => j.connector,
	},
];

export function Jobs(): JSX.Element {
	useTopics("jobs");
	return (
		<div class="page">
			<Head title={t().job.title} />
			{topic("jobs").value.ready ? (
				<List
					label={t().job.title}
					file="jobs"
					columns={columns()}
					rows={byTrouble(rows.value, (j) => j.state)}
					keyOf={(j) => j.id}
					text={(j) => j.name}
					search={t().act.search}
					empty={
						<Empty title={t().job.none} why={t().job.noneWhy}>
							<pre>walmill job submit jobs/interventions.sql</pre>
						</Empty>
					}
				/>
			) : (
				<Skeleton height={240} />
			)}
		</div>
	);
}

function Verbs({ j }: { j: Job }): JSX.Element {
	const { pending, run } = useAction(j.state);
	const at = `/flink/jobs/${encodeURIComponent(j.id)}`,
		w = t().job;
	const go = (name: string, verb: string, wanted: string[]) => () =>
		void run(name, "PUT", `${at}/${verb}`, wanted).catch(() => undefined);
	const cancel = () => {
		confirmation.value = {
			title: w.cancelTitle(j.name),
			text: w.cancelText(j.name),
			action: w.cancel,
			typed: j.name,
			run: () => run(w.cancel, "PATCH", `${at}?mode=cancel`, ["CANCELED", "CANCELLED", "CANCELLING"]).then(() => navigate("/jobs")),
		};
	};
	return (
		<>
			{pending && <State state="pending" />}
			{j.state === "FAILED" ? (
				<Act icon="restart" label={w.restart} pending={pending} onClick={go(w.restart, "resume", ["RUNNING"])} />
			) : j.state === "PAUSED" ? (
				<Act icon="play" label={w.resume} pending={pending} onClick={go(w.resume, "resume", ["RUNNING"])} />
			) : (
				<Act icon="pause" label={w.pause} pending={pending} onClick={go(w.pause, "pause", ["PAUSED"])} />
			)}
			<Act icon="close" label={w.cancel} pending={pending} kind="danger" onClick={cancel} />
		</>
	);
}

function Plan({ plan }: { plan: PlanShape }): JSX.Element {
	useEffect(() => void import("./dag.tsx").then((m) => (dag.value = m.default)), []);
	const Dag = dag.value,
		id = query.value.get("node");
	const node = plan.nodes.find((n) => String(n.id) === id);
	return (
		<>
			{Dag ? (
				<Dag nodes={plan.nodes} edges={plan.edges} selected={id} select={(n) => setQuery({ node: n === id ? null : n })} />
			) : (
				<Skeleton height={260} />
			)}
			{node && (
				<div class="card-body" style={{ borderTop: "1px solid var(--border)" }} role="region" aria-label={node.kind}>
					<h3>{node.kind}</h3>
					<p class="mono" style={{ margin: "4px 0 12px", overflowWrap: "anywhere" }}>
						{node.description}
					</p>
					<div class="facts">
						<Fact name={t().job.rowsIn}>{num(node.rowsIn)}</Fact>
						<Fact name={t().job.rowsOut}>{num(node.rowsOut)}</Fact>
						<Fact name={t().topic.rate}>{rate(node.rowsInPerSecond ?? node.rowsOutPerSecond)}</Fact>
						<Fact name={t().job.kept}>{num(node.stateRows)}</Fact>
						<Fact name={t().job.stateSize}>{bytes(node.stateBytes)}</Fact>
					</div>
				</div>
			)}
		</>
	);
}

const checkpointColumns = (): Column<Checkpoint>[] => [
	{ id: "id", name: "#", cell: (c) => num(c.id), value: (c) => c.id },
	{
		id: "at",
		name: t().word.time,
		class: "nowrap",
		cell: (c) => <When at={c.trigger_timestamp} absolute />,
		value: (c) => c.trigger_timestamp,
	},
	{
		id: "state",
		name: t().word.state,
		cell: (c) => <State state={c.status === "COMPLETED" ? "FINISHED" : c.status} plain />,
		value: (c) => c.status,
	},
	{ id: "size", name: t().topic.size, num: true, cell: (c) => bytes(c.checkpointed_size), value: (c) => c.checkpointed_size },
	{
		id: "took",
		name: t().job.took,
		num: true,
		cell: (c) => duration(c.end_to_end_duration / 1000),
		value: (c) => c.end_to_end_duration,
	},
];

function Checkpoints({ at, again }: { at: string; again: number }): JSX.Element {
	const c = useGet<FlinkCheckpoints>(`${at}/checkpoints`, again);
	if (c.error) return <ErrorBox error={c.error} retry={c.reload} stale={!!c.data} />;
	return (
		<Card title={t().job.checkpoints} flush>
			{!c.data ? (
				<Skeleton />
			) : c.data.history.length ? (
				<Table label={t().job.checkpoints} columns={checkpointColumns()} rows={c.data.history} keyOf={(x) => String(x.id)} />
			) : (
				<Empty title={t().job.never} />
			)}
		</Card>
	);
}

function Exceptions({ at, again }: { at: string; again: number }): JSX.Element {
	const e = useGet<FlinkExceptions>(`${at}/exceptions`, again);
	if (e.error) return <ErrorBox error={e.error} retry={e.reload} stale={!!e.data} />;
	const list = e.data?.exceptionHistory.entries ?? [];
	return (
		<Card title={t().job.exceptions} flush>
			{!e.data ? (
				<Skeleton />
			) : list.length ? (
				<ul class="list-rows">
					{list.map((x) => (
						<li key={x.timestamp}>
							<When at={x.timestamp} absolute />
							<b>{x.exceptionName}</b>
							<pre class="code trace" tabIndex={0} aria-label={x.exceptionName}>
								{x.stacktrace}
							</pre>
						</li>
					))}
				</ul>
			) : (
				<Empty title={t().job.noExceptions} />
			)}
		</Card>
	);
}

/* canceled ones stay in the list, and their name may be another's since */
function newestOf(name: string): Job | undefined {
	const later = (a: Job, b: Job) => (String(a.startedAt) > String(b.startedAt) ? a : b);
	const named = rows.value.filter((j) => j.name === name);
	return named.length ? named.reduce(later) : undefined;
}

export function JobPage({ id }: { id: string }): JSX.Element {
	useTopics("jobs");
	const live = rows.value.find((j) => j.id === id) ?? newestOf(id);
	/* the figures of the graph move with the page: every two seconds while it is looked at */
	const again = Math.floor(now.value / 2000);
	const first = useGet<Job>(`/api/jobs/${encodeURIComponent(id)}`);
	const j = live ?? first.data,
		w = t().job;
	const read = useRate(j?.rowsRead, j?.rowsReadPerSecond),
		written = useRate(j?.rowsWritten, j?.rowsWrittenPerSecond);
	const at = j ? `/flink/jobs/${encodeURIComponent(j.id)}` : null;
	const flink = useGet<FlinkJob>(at, again);
	const tabs = [
		{ id: "plan", text: w.plan },
		{ id: "sql", text: w.sql },
		{ id: "checkpoints", text: w.checkpoints },
		{ id: "exceptions", text: w.exceptions },
	];
	if (!j)
		return (
			<div class="page">
				<Head title={id} crumb={{ href: "/jobs", text: w.title }} />
				{first.error ? <ErrorBox error={first.error} retry={first.reload} /> : <Skeleton height={300} />}
			</div>
		);
	const tab = tabOf(tabs);
	return (
		<div class="page">
			<Head title={j.name} crumb={{ href: "/jobs", text: w.title }} state={<State state={j.state} />}>
				<Verbs j={j} />
			</Head>
			{j.reason && (
				<Card title={w.reason}>
					<Code text={j.reason} label={w.reason} class="trace" />
				</Card>
			)}
			<Card>
				<div class="facts">
					<Fact name={w.freshness}>{j.lagMs === null ? "–" : duration(j.lagMs / 1000)}</Fact>
					<Fact name={w.read}>
						{rate(read)} <span class="muted">{num(j.rowsRead)}</span>
					</Fact>
					<Fact name={w.written}>
						{rate(written)} <span class="muted">{num(j.rowsWritten)}</span>
					</Fact>
					<Fact name={w.stateSize}>{bytes(j.stateBytes)}</Fact>
					<Fact name={w.checkpoint}>
						{j.checkpoint ? (
							<>
								<When at={j.checkpoint.at} /> · {bytes(j.checkpoint.bytes)}
							</>
						) : (
							w.never
						)}
					</Fact>
					<Fact name={w.position}>
						{/^0\/0+$/.test(j.position) ? (
							"–"
						) : (
							<>
								<code>{j.position}</code>
								<Copy text={j.position} label={w.position} />
							</>
						)}
					</Fact>
					<Fact name={w.committed}>
						<When at={j.committedAt} />
					</Fact>
					<Fact name={t().nav.connectors}>
						<Links base="/connectors" names={j.connector ? [j.connector] : []} />
					</Fact>
					{j.sources && (
						<Fact name={w.sources}>
							<Links base="/topics" names={j.sources} />
						</Fact>
					)}
					{j.tables && (
						<Fact name={w.targets}>
							<span class="fact-names">{j.tables.join(", ") || "–"}</span>
						</Fact>
					)}
				</div>
			</Card>
			<div class="cols2">
				<Card>
					<Followed name={w.written} value={written} show={(n) => rate(n ?? undefined)} />
				</Card>
				<Card>
					<Followed
						name={w.freshness}
						value={j.lagMs}
						show={(n) => (n === null || n === undefined ? "–" : duration(n / 1000))}
					/>
				</Card>
			</div>
			<Tabs tabs={tabs} label={j.name} />
			{tab === "plan" && (
				<Card title={w.plan} flush>
					{flink.error && <ErrorBox error={flink.error} retry={flink.reload} stale={!!flink.data} />}
					{!flink.data && !flink.error && <Skeleton height={260} />}
					{flink.data && (flink.data.vertices.length ? <Plan plan={planOf(flink.data)} /> : <Empty title={w.noPlan} />)}
				</Card>
			)}
			{tab === "sql" && <Code text={j.sql} label={w.sql} />}
			{tab === "checkpoints" && at && <Checkpoints at={at} again={again} />}
			{tab === "exceptions" && at && <Exceptions at={at} again={again} />}
		</div>
	);
}
