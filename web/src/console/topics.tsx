/* Topics: the list, and one with its messages, readers, partitions and configuration. */
import type { JSX } from "preact";
import { t } from "../i18n/index.ts";
import { bytes, compact, duration, num, rate } from "../lib/format.ts";
import { useGet, useTopics } from "../lib/hooks.ts";
import { query, setQuery } from "../lib/router.ts";
import { rowsOf, topic } from "../lib/stream.ts";
import { Card, Copy, Empty, ErrorBox, Skeleton } from "../ui/bits.tsx";
import { Table, type Column } from "../ui/table.tsx";
import { Browser, Tail } from "./messages.tsx";
import type { Topic, TopicDetail } from "./model.ts";
import { Fact, Head, Links, List, Tabs, tabOf } from "./parts.tsx";

const rows = rowsOf<Topic>("topics");
const retention = (ms: number): string => (ms < 0 ? t().topic.unlimited : duration(ms / 1000));

const columns = (): Column<Topic>[] => [
	{
		id: "name",
		name: t().word.name,
		sort: "name",
		class: "name",
		cell: (x) => (
			<>
				<a href={`/topics/${encodeURIComponent(x.name)}`}>{x.name}</a>
				{x.internal && (
					<>
						{" "}
						<span class="tag">{t().topic.internal}</span>
					</>
				)}
			</>
		),
		value: (x) => x.name,
	},
	{ id: "rate", name: t().topic.rate, sort: "rate", num: true, cell: (x) => rate(x.eventsPerSecond), value: (x) => x.eventsPerSecond },
	{ id: "records", name: t().topic.records, sort: "records", num: true, cell: (x) => compact(x.records), value: (x) => x.records },
	{ id: "size", name: t().topic.size, sort: "size", num: true, cell: (x) => bytes(x.bytes), value: (x) => x.bytes },
	{
		id: "partitions",
		name: t().topic.partitions,
		sort: "partitions",
		num: true,
		cell: (x) => num(x.partitions),
		value: (x) => x.partitions,
	},
	{ id: "cleanup", name: t().topic.cleanup, cell: (x) => x.cleanupPolicy, value: (x) => x.cleanupPolicy },
	{
		id: "retention",
		name: t().topic.retention,
		sort: "retention",
		class: "nowrap",
		cell: (x) => retention(x.retentionMs),
		value: (x) => x.retentionMs,
	},
	{ id: "groups", name: t().topic.readers, cell: (x) => <Links base="/groups" names={x.groups} /> },
];

export function Topics(): JSX.Element {
	useTopics("topics");
	const internal = query.value.get("internal") === "1";
	const list = rows.value.filter((x) => internal || !x.internal);
	return (
		<div class="page">
			<Head title={t().topic.title} />
			{topic("topics").value.ready ? (
				<List
					label={t().topic.title}
					file="topics"
					columns={columns()}
					rows={list}
					keyOf={(x) => x.name}
					preset="name,asc"
					search={t().topic.find}
					tools={
						<label class="check">
							<input
								type="checkbox"
								checked={internal}
								onChange={(e) => setQuery({ internal: e.currentTarget.checked ? "1" : null })}
							/>
							{t().topic.showInternal}
						</label>
					}
					empty={<Empty title={t().topic.none} why={t().topic.noneWhy} />}
				/>
			) : (
				<Skeleton height={240} />
			)}
		</div>
	);
}

type Part = TopicDetail["partitions"][number];
type Config = TopicDetail["configs"][number];
const partColumns = (): Column<Part>[] => [
	{ id: "p", name: t().topic.partition, cell: (p) => num(p.partition), value: (p) => p.partition },
	{ id: "b", name: t().topic.begin, num: true, cell: (p) => num(p.beginOffset), value: (p) => p.beginOffset },
	{ id: "e", name: t().topic.end, num: true, cell: (p) => num(p.endOffset), value: (p) => p.endOffset },
	{
		id: "n",
		name: t().topic.records,
		num: true,
		cell: (p) => num(p.endOffset - p.beginOffset),
		value: (p) => p.endOffset - p.beginOffset,
	},
	{ id: "s", name: t().topic.size, num: true, cell: (p) => bytes(p.bytes), value: (p) => p.bytes },
];
const configColumns = (): Column<Config>[] => [
	{ id: "n", name: t().word.name, class: "mono", cell: (c) => c.name, value: (c) => c.name },
	{ id: "v", name: t().word.value, class: "mono wrap", cell: (c) => c.value || <span class="muted">–</span>, value: (c) => c.value },
	{
		id: "s",
		name: t().topic.source,
		cell: (c) => (c.source === "default" ? <span class="muted">{c.source}</span> : <span class="tag">{c.source}</span>),
		value: (c) => c.source,
	},
];

/* What is not known yet has its place already. */
function Facts({ x }: { x: Topic | TopicDetail | null }): JSX.Element {
	const all = <V,>(of: (x: Topic | TopicDetail) => V): V | string => (x ? of(x) : "–");
	return (
		<Card>
			<div class="facts">
				<Fact name={t().topic.rate}>{all((y) => rate(y.eventsPerSecond))}</Fact>
				<Fact name={t().topic.records}>{all((y) => num(y.records))}</Fact>
				<Fact name={t().topic.size}>{all((y) => bytes(y.bytes))}</Fact>
				<Fact name={t().topic.retention}>{all((y) => retention(y.retentionMs))}</Fact>
				<Fact name={t().topic.cleanup}>{all((y) => y.cleanupPolicy)}</Fact>
			</div>
			<div class="facts readers">
				<Fact name={t().topic.writer}>
					<Links base="/connectors" names={x?.connector ? [x.connector] : []} />
				</Fact>
				<Fact name={t().nav.jobs}>
					<Links base="/jobs" names={x?.jobs} />
				</Fact>
				<Fact name={t().nav.groups}>
					<Links base="/groups" names={x?.groups} />
				</Fact>
			</div>
		</Card>
	);
}

export function TopicPage({ name }: { name: string }): JSX.Element {
	useTopics("topics");
	const live = rows.value.find((x) => x.name === name);
	const d = useGet<TopicDetail>(`/api/topics/${encodeURIComponent(name)}`, tabOf(TABS()) === "partitions" ? live?.records : 0);
	const x = live ?? d.data,
		tabs = TABS(),
		tab = tabOf(tabs);
	return (
		<div class="page">
			<Head title={name} crumb={{ href: "/topics", text: t().topic.title }}>
				<Copy text={name} label={t().word.name} />
			</Head>
			{d.error && <ErrorBox error={d.error} retry={d.reload} stale={!!d.data} />}
			{!(d.error && !x) && <Facts x={x} />}
			<Tabs tabs={tabs} label={name} />
			{tab === "messages" && <Browser topic={name} partitions={d.data?.partitions.length ?? 1} />}
			{tab === "live" && <Tail topic={name} rate={live?.eventsPerSecond} />}
			{tab === "partitions" && (
				<Card title={t().topic.partitions} flush>
					{d.data ? (
						<Table
							label={t().topic.partitions}
							columns={partColumns()}
							rows={d.data.partitions}
							keyOf={(p) => String(p.partition)}
						/>
					) : (
						<Skeleton />
					)}
				</Card>
			)}
			{tab === "configs" && (
				<Card title={t().topic.configs} flush>
					{d.data ? (
						<Table
							label={t().topic.configs}
							columns={configColumns()}
							keyOf={(c) => c.name}
							rows={[...d.data.configs].sort(
								(a, b) => Number(a.source === "default") - Number(b.source === "default") || a.name.localeCompare(b.name),
							)}
						/>
					) : (
						<Skeleton />
					)}
				</Card>
			)}
		</div>
	);
}

const TABS = () => [
	{ id: "messages", text: t().topic.messages },
	{ id: "live", text: t().topic.live },
	{ id: "partitions", text: t().topic.partitions },
	{ id: "configs", text: t().topic.configs },
];
