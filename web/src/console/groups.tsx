/* Consumer groups: the list, and one with its members and what each partition has left to read, in records and in time. */
import type { JSX } from "preact";
import { t } from "../i18n/index.ts";
import { duration, num } from "../lib/format.ts";
import { useGet, useTopics } from "../lib/hooks.ts";
import { rowsOf, topic } from "../lib/stream.ts";
import { Card, Empty, ErrorBox, now, Skeleton, State } from "../ui/bits.tsx";
import { Table, type Column } from "../ui/table.tsx";
import type { Group, GroupDetail } from "./model.ts";
import { Fact, Head, Lag, Links, List } from "./parts.tsx";

const rows = rowsOf<Group>("groups");

const columns = (): Column<Group>[] => [
	{
		id: "id",
		name: t().word.name,
		sort: "id",
		cell: (g) => <a href={`/groups/${encodeURIComponent(g.id)}`}>{g.id}</a>,
		value: (g) => g.id,
	},
	{ id: "state", name: t().word.state, sort: "state", cell: (g) => <State state={g.state} />, value: (g) => g.state },
	{ id: "members", name: t().group.members, sort: "members", num: true, cell: (g) => num(g.members), value: (g) => g.members },
	{
		id: "lag",
		name: t().group.lagRecords,
		sort: "lag",
		num: true,
		cell: (g) => (g.lagRecords === null ? "–" : t().group.records(g.lagRecords)),
		value: (g) => g.lagRecords,
	},
	{
		id: "seconds",
		name: t().group.lagSeconds,
		sort: "seconds",
		num: true,
		cell: (g) => duration(g.lagSeconds),
		value: (g) => g.lagSeconds,
	},
	{ id: "topics", name: t().nav.topics, cell: (g) => <Links base="/topics" names={g.topics} /> },
];

export function Groups(): JSX.Element {
	useTopics("groups");
	return (
		<div class="page">
			<Head title={t().group.title} />
			{topic("groups").value.ready ? (
				<List
					label={t().group.title}
					file="groups"
					columns={columns()}
					rows={rows.value}
					keyOf={(g) => g.id}
					preset="lag,desc"
					search={t().group.find}
					empty={
						<Empty title={t().group.none} why={t().group.noneWhy}>
							<pre>kcat -b 127.0.0.1:9092 -G my-group sip.interventions</pre>
						</Empty>
					}
				/>
			) : (
				<Skeleton height={240} />
			)}
		</div>
	);
}

type Part = GroupDetail["partitions"][number];
type Member = GroupDetail["memberList"][number];

const partColumns = (): Column<Part>[] => [
	{
		id: "topic",
		name: "Topic",
		class: "name",
		cell: (p) => <a href={`/topics/${encodeURIComponent(p.topic)}`}>{p.topic}</a>,
		value: (p) => p.topic,
	},
	{ id: "partition", name: t().topic.partition, num: true, cell: (p) => num(p.partition), value: (p) => p.partition },
	{ id: "committed", name: t().group.committed, num: true, cell: (p) => num(p.committed), value: (p) => p.committed },
	{ id: "end", name: t().group.end, num: true, cell: (p) => num(p.end), value: (p) => p.end },
	{ id: "lag", name: t().group.lagRecords, num: true, cell: (p) => <Lag records={p.lag} seconds={null} />, value: (p) => p.lag },
	{ id: "seconds", name: t().group.lagSeconds, num: true, cell: (p) => duration(p.lagSeconds), value: (p) => p.lagSeconds },
	{
		id: "member",
		name: t().group.member,
		cell: (p) => (p.memberId ? <code>{p.memberId}</code> : <span class="muted">{t().group.unassigned}</span>),
		value: (p) => p.memberId,
	},
];
const memberColumns = (): Column<Member>[] => [
	{ id: "id", name: t().group.member, class: "mono", cell: (m) => m.id, value: (m) => m.id },
	{ id: "client", name: t().group.client, cell: (m) => m.clientId, value: (m) => m.clientId },
	{ id: "host", name: t().group.host, cell: (m) => m.host, value: (m) => m.host },
	{ id: "parts", name: t().topic.partitions, cell: (m) => (m.partitions ?? []).map((p) => `${p.topic}-${p.partition}`).join(", ") },
];

export function GroupPage({ id }: { id: string }): JSX.Element {
	useTopics("groups");
	/* the detail is asked for with each change of the row, and every two seconds while the page is looked at */
	const row = rows.value.find((g) => g.id === id);
	const d = useGet<GroupDetail>(
		`/api/groups/${encodeURIComponent(id)}`,
		`${row?.lagRecords}${row?.state}${row?.members}${Math.floor(now.value / 2000)}`,
	);
	const g = d.data;
	return (
		<div class="page">
			<Head title={id} crumb={{ href: "/groups", text: t().group.title }} state={g ? <State state={g.state} /> : undefined} />
			{d.error && <ErrorBox error={d.error} retry={d.reload} stale={!!g} />}
			{g ? (
				<>
					<Card>
						<div class="facts">
							<Fact name={t().group.lagRecords}>{g.lagRecords === null ? "–" : t().group.records(g.lagRecords)}</Fact>
							<Fact name={t().group.lagSeconds}>{duration(g.lagSeconds)}</Fact>
							<Fact name={t().group.members}>{num(g.members)}</Fact>
							<Fact name={t().group.protocol}>{g.protocol || "–"}</Fact>
						</div>
					</Card>
					<Card title={t().topic.partitions} flush>
						{g.partitions.length ? (
							<Table
								label={t().topic.partitions}
								columns={partColumns()}
								rows={g.partitions}
								keyOf={(p) => `${p.topic}-${p.partition}`}
							/>
						) : (
							<Empty title={t().word.none} />
						)}
					</Card>
					<Card title={t().group.members} flush>
						{g.memberList.length ? (
							<Table label={t().group.members} columns={memberColumns()} rows={g.memberList} keyOf={(m) => m.id} />
						) : (
							<Empty title={t().group.unassigned} />
						)}
					</Card>
				</>
			) : (
				!d.error && <Skeleton height={300} />
			)}
		</div>
	);
}
