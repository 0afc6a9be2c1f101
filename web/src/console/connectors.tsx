/* Connectors: the list, and one with its slot, lag, trace and verbs. */
import type { JSX } from "preact";
import { t } from "../i18n/index.ts";
import { bytes, compact, duration, num, rate } from "../lib/format.ts";
import { useGet, useTopics } from "../lib/hooks.ts";
import { rowsOf, topic } from "../lib/stream.ts";
import { Card, confirmation, Copy, Empty, ErrorBox, Skeleton, State, When } from "../ui/bits.tsx";
import { Table, type Column } from "../ui/table.tsx";
import { Followed } from "./history.tsx";
import { byTrouble, type Connector } from "./model.ts";
import { Act, Code, Fact, Head, Lag, Links, List, Tabs, tabOf, useAction, useRate } from "./parts.tsx";

const rows = rowsOf<Connector>("connectors");

const columns = (): Column<Connector>[] => [
	{
		id: "name",
		name: t().word.name,
		sort: "name",
		class: "name",
		cell: (c) => <a href={`/connectors/${encodeURIComponent(c.name)}`}>{c.name}</a>,
		value: (c) => c.name,
	},
	{ id: "state", name: t().word.state, sort: "state", cell: (c) => <State state={c.state} />, value: (c) => c.state },
	{
		id: "lag",
		name: t().connector.lag,
		sort: "lag",
		num: true,
		cell: (c) => (
			<>
				<b>{bytes(c.lagBytes)}</b> <Lag seconds={c.lagSeconds} />
			</>
		),
		value: (c) => c.lagBytes,
	},
	{
		id: "wal",
		name: t().connector.wal,
		sort: "wal",
		num: true,
		cell: (c) => bytes(c.retainedWalBytes),
		value: (c) => c.retainedWalBytes,
	},
	{ id: "events", name: t().connector.events, sort: "events", num: true, cell: (c) => compact(c.events), value: (c) => c.events },
	{
		id: "last",
		name: t().connector.lastEvent,
		sort: "last",
		class: "nowrap",
		cell: (c) => <When at={c.lastEventAt} />,
		value: (c) => c.lastEventAt,
	},
	{ id: "slot", name: t().connector.slot, cell: (c) => <code>{c.slot}</code>, value: (c) => c.slot },
	{ id: "jobs", name: t().nav.jobs, cell: (c) => <Links base="/jobs" names={c.jobs} /> },
];

export function Connectors(): JSX.Element {
	useTopics("connectors");
	return (
		<div class="page">
			<Head title={t().connector.title} />
			{topic("connectors").value.ready ? (
				<List
					label={t().connector.title}
					file="connectors"
					columns={columns()}
					rows={byTrouble(rows.value, (c) => c.state)}
					keyOf={(c) => c.name}
					search={t().act.search}
					empty={
						<Empty title={t().connector.none} why={t().connector.noneWhy}>
							<pre>walmill connector create FILE.json</pre>
						</Empty>
					}
				/>
			) : (
				<Skeleton height={240} />
			)}
		</div>
	);
}

function Verbs({ c }: { c: Connector }): JSX.Element {
	const { pending, run } = useAction(c.state);
	const at = `/connect/connectors/${encodeURIComponent(c.name)}`,
		w = t().connector;
	const go = (name: string, method: string, verb: string, wanted: string[]) => () =>
		void run(name, method, `${at}/${verb}`, wanted).catch(() => undefined);
	const stop = () => {
		confirmation.value = {
			title: w.stopTitle(c.name),
			text: w.stopText,
			action: w.stop,
			run: () => run(w.stop, "PUT", `${at}/stop`, ["STOPPED"]),
		};
	};
	return (
		<>
			{pending && <State state="pending" />}
			{c.state === "PAUSED" || c.state === "STOPPED" ? (
				<Act icon="play" label={w.resume} pending={pending} onClick={go(w.resume, "PUT", "resume", ["RUNNING"])} />
			) : (
				<Act icon="pause" label={w.pause} pending={pending} onClick={go(w.pause, "PUT", "pause", ["PAUSED"])} />
			)}
			<Act
				icon="restart"
				label={w.restartAct}
				pending={pending}
				onClick={go(w.restartAct, "POST", "restart?includeTasks=true", ["RUNNING"])}
			/>
			<Act icon="stop" label={w.stop} pending={pending} kind="danger" disabled={c.state === "STOPPED"} onClick={stop} />
		</>
	);
}

const configColumns = (): Column<[string, string]>[] => [
	{ id: "k", name: t().word.name, class: "mono", cell: ([k]) => k, value: ([k]) => k },
	{ id: "v", name: t().word.value, class: "mono wrap", cell: ([, v]) => v, value: ([, v]) => v },
];

export function ConnectorPage({ name }: { name: string }): JSX.Element {
	useTopics("connectors");
	const live = rows.value.find((c) => c.name === name);
	const first = useGet<Connector>(`/api/connectors/${encodeURIComponent(name)}`);
	const c = live ?? first.data,
		w = t().connector;
	const perSecond = useRate(c?.events, undefined);
	const tabs = [
		{ id: "status", text: t().word.status },
		{ id: "config", text: w.config },
	];
	if (!c)
		return (
			<div class="page">
				<Head title={name} crumb={{ href: "/connectors", text: w.title }} />
				{first.error ? <ErrorBox error={first.error} retry={first.reload} /> : <Skeleton height={300} />}
			</div>
		);
	const traces = c.tasks.filter((x) => x.trace);
	return (
		<div class="page">
			<Head title={name} crumb={{ href: "/connectors", text: w.title }} state={<State state={c.state} />}>
				<Verbs c={c} />
			</Head>
			{traces.map((x) => (
				<Card key={x.id} title={`${w.failedText} · ${t().connector.tasks} ${x.id}`}>
					<Code class="trace" text={x.trace ?? ""} label={w.trace} />
				</Card>
			))}
			{c.warnings.length > 0 && (
				<Card title={w.warnings}>
					<ul>
						{c.warnings.map((x) => (
							<li key={x}>{x}</li>
						))}
					</ul>
				</Card>
			)}
			<Tabs tabs={tabs} label={name} />
			{tabOf(tabs) === "config" ? (
				<Card
					title={w.config}
					flush
					aside={<Copy text={JSON.stringify({ name: c.name, config: c.config }, null, 2)} label="JSON" />}
				>
					<Table label={w.config} columns={configColumns()} rows={Object.entries(c.config)} keyOf={([k]) => k} />
				</Card>
			) : (
				<div class="cols2">
					<Card title={w.throughput}>
						<Followed name={t().connector.events} value={perSecond} show={(n) => rate(n ?? undefined)} />
					</Card>
					<Card title={w.walCard}>
						<Followed name={w.wal} value={c.retainedWalBytes} show={bytes} />
					</Card>
					<Card title={w.lag}>
						<div class="facts-grid">
							<Fact name={w.lag}>{bytes(c.lagBytes)}</Fact>
							<Fact name={t().group.lagSeconds}>{duration(c.lagSeconds)}</Fact>
							<Fact name={w.lastEvent}>
								<When at={c.lastEventAt} />
							</Fact>
							<Fact name={w.events}>{num(c.events)}</Fact>
							<Fact name={w.transactions}>{num(c.transactions)}</Fact>
							<Fact name={w.snapshot}>
								{c.snapshot
									? `${w.snapshotState[c.snapshot.state] ?? c.snapshot.state}, ${t().word.rows(c.snapshot.rows)}`
									: "–"}
							</Fact>
						</div>
					</Card>
					<Card title={w.slot}>
						<div class="facts-grid">
							<Fact name={w.slot}>
								<code>{c.slot}</code>
							</Fact>
							<Fact name={w.publication}>
								<code>{c.publication}</code>
							</Fact>
							<Fact name={w.wal}>{bytes(c.retainedWalBytes)}</Fact>
							<Fact name={w.walStatus}>{c.walStatus ?? "–"}</Fact>
							<Fact name={w.confirmed}>
								<code>{c.confirmedLsn ?? "–"}</code>
								{c.confirmedLsn && <Copy text={c.confirmedLsn} label={w.confirmed} />}
							</Fact>
							<Fact name={w.restart}>
								<code>{c.restartLsn ?? "–"}</code>
							</Fact>
						</div>
					</Card>
					<Card title={w.feeds}>
						<div class="facts-grid">
							<Fact name={w.tables}>
								{c.tables?.length ? c.tables.join(", ") : (c.config["table.include.list"] ?? "–")}
							</Fact>
							<Fact name={t().nav.topics}>
								<Links base="/topics" names={c.topics} />
							</Fact>
							<Fact name={t().nav.jobs}>
								<Links base="/jobs" names={c.jobs} />
							</Fact>
						</div>
					</Card>
					<Card title={w.tasks}>
						<div class="facts">
							{c.tasks.map((x) => (
								<span key={x.id} class="state">
									{x.id} <State state={x.state} />
								</span>
							))}
							{c.step && <span class="muted">{w.step[c.step] ?? c.step}</span>}
						</div>
					</Card>
				</div>
			)}
		</div>
	);
}
