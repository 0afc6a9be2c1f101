/* Home: is it well, and if not, what is not; then what runs. */
import type { JSX } from "preact";
import { t } from "../i18n/index.ts";
import { bytes, compact, duration, rate } from "../lib/format.ts";
import { useGet, useTopics } from "../lib/hooks.ts";
import { painted } from "../lib/paint.ts";
import { rowsOf, topic } from "../lib/stream.ts";
import { Card, Empty, ErrorBox, Skeleton, State, stateWord, When } from "../ui/bits.tsx";
import { Shape, toneOf } from "../ui/icons.tsx";
import { Followed } from "./history.tsx";
import { byTrouble, type Check, type Connector, type Group, type Health, type Job, type Topic } from "./model.ts";
import { Fact, Lag } from "./parts.tsx";

const checks = rowsOf<Check>("health"),
	connectors = rowsOf<Connector>("connectors"),
	jobs = rowsOf<Job>("jobs"),
	topics = rowsOf<Topic>("topics"),
	groups = rowsOf<Group>("groups");

function worst(list: readonly Check[]): "ok" | "degraded" | "failed" {
	return list.some((c) => c.status === "failed") ? "failed" : list.some((c) => c.status === "warning") ? "degraded" : "ok";
}

function Hero({ health }: { health: Health | null }): JSX.Element {
	const list = checks.value.length ? checks.value : (health?.checks ?? []);
	const w = worst(list),
		bad = list.filter((c) => c.status !== "ok");
	/* not a word of how it is before it is known */
	const word = !list.length ? t().home.title : { ok: t().home.allWell, degraded: t().home.degraded, failed: t().home.failed }[w];
	const tone = list.length ? toneOf(w) : "unknown";
	return (
		<section class={`card hero tone-${tone}`} aria-label={t().home.title}>
			<div class="hero-state">
				<Shape tone={tone} size={28} />
				<div>
					<h1>{word}</h1>
					<p>{bad.length ? bad.map((c) => c.name).join(", ") : health ? `walmill ${health.version}` : "…"}</p>
				</div>
			</div>
			<div class="facts">
				<Fact name={t().home.uptime}>{health ? duration((Date.now() - Date.parse(health.startedAt)) / 1000) : "–"}</Fact>
				<Fact name={t().home.memory}>{bytes(health?.memoryBytes)}</Fact>
				<Fact name={t().home.log}>{bytes(health?.logBytes)}</Fact>
				<Fact name={t().home.free}>{bytes(health?.freeBytes)}</Fact>
			</div>
		</section>
	);
}

function Checks({ list }: { list: readonly Check[] }): JSX.Element {
	return (
		<ul class="checks">
			{byTrouble(list, (c) => c.status).map((c) => (
				<li key={c.name}>
					<Shape tone={toneOf(c.status)} />
					<b>{c.link ? <a href={c.link}>{c.name}</a> : c.name}</b>
					<span class="check-detail">{stateWord(c.detail)}</span>
					<State state={c.status} plain />
					{c.hint && <span class="hint">{c.hint}</span>}
				</li>
			))}
		</ul>
	);
}

const SeeAll = ({ href }: { href: string }): JSX.Element => <a href={href}>{t().home.seeAll}</a>;

/* What lies below the fold of most screens. */
function Details({ health, list }: { health: Health | null; list: readonly Check[] }): JSX.Element {
	return (
		<div class="cols2">
			<Card title={t().home.checks} flush>
				{list.length ? <Checks list={list} /> : <Skeleton />}
			</Card>
			<Card title={t().home.listeners} flush>
				<ul class="list-rows">
					{(health?.listeners ?? []).map((l) => (
						<li key={l.name + l.address}>
							<span>{l.name}</span>
							<code class="push">{l.address}</code>
						</li>
					))}
					{health && (
						<li>
							<span>{t().home.data}</span>
							<code class="push">{health.dataDirectory}</code>
						</li>
					)}
					{health && (
						<li>
							<span>{t().home.started}</span>
							<span class="push">
								<When at={health.startedAt} />
							</span>
						</li>
					)}
				</ul>
			</Card>
		</div>
	);
}

export function Home(): JSX.Element {
	useTopics("health", "connectors", "jobs", "topics", "groups");
	const h = useGet<Health>("/api/health", Math.floor(Date.now() / 10000));
	const list = checks.value.length ? checks.value : (h.data?.checks ?? []);
	const busiest = topics.value
		.filter((x) => !x.internal)
		.sort((a, b) => b.eventsPerSecond - a.eventsPerSecond || b.records - a.records)
		.slice(0, 6);
	const perSecond = topics.value.reduce((n, x) => n + (x.internal ? 0 : x.eventsPerSecond), 0);
	return (
		<div class="page">
			{h.error && <ErrorBox error={h.error} retry={h.reload} stale={!!h.data} />}
			<Hero health={h.data} />
			<Card>
				<Followed name={t().home.throughput} value={perSecond} show={(n) => rate(n ?? undefined)} />
			</Card>
			<div class="cols2 even">
				<Card title={t().nav.connectors} flush aside={<SeeAll href="/connectors" />}>
					{connectors.value.length ? (
						<ul class="list-rows">
							{byTrouble(connectors.value, (c) => c.state).map((c) => (
								<li key={c.name}>
									<State state={c.state} />
									<a href={`/connectors/${encodeURIComponent(c.name)}`} title={c.name}>
										{c.name}
									</a>
									<span class="push">
										{c.lagSeconds !== null && (
											<>
												<Lag seconds={c.lagSeconds} /> ·{" "}
											</>
										)}
										{c.retainedWalBytes !== null && `${bytes(c.retainedWalBytes)} WAL`}
									</span>
								</li>
							))}
						</ul>
					) : topic("connectors").value.ready ? (
						<Empty title={t().connector.none} />
					) : (
						<Skeleton />
					)}
				</Card>
				<Card title={t().nav.jobs} flush aside={<SeeAll href="/jobs" />}>
					{jobs.value.length ? (
						<ul class="list-rows">
							{byTrouble(jobs.value, (j) => j.state).map((j) => (
								<li key={j.id}>
									<State state={j.state} />
									<a href={`/jobs/${encodeURIComponent(j.name)}`} title={j.name}>
										{j.name}
									</a>
									<span class="push">{j.lagMs === null ? "" : t().live.behind(duration(j.lagMs / 1000))}</span>
								</li>
							))}
						</ul>
					) : topic("jobs").value.ready ? (
						<Empty title={t().job.none} />
					) : (
						<Skeleton />
					)}
				</Card>
				<Card title={t().nav.topics} flush aside={<SeeAll href="/topics" />}>
					{busiest.length ? (
						<ul class="list-rows">
							{busiest.map((x) => (
								<li key={x.name}>
									<a href={`/topics/${encodeURIComponent(x.name)}`} title={x.name}>
										{x.name}
									</a>
									<span class="push">
										<b>{rate(x.eventsPerSecond)}</b> · {compact(x.records)} · {bytes(x.bytes)}
									</span>
								</li>
							))}
						</ul>
					) : topic("topics").value.ready ? (
						<Empty title={t().topic.none} />
					) : (
						<Skeleton />
					)}
				</Card>
				<Card title={t().nav.groups} flush aside={<SeeAll href="/groups" />}>
					{groups.value.length ? (
						<ul class="list-rows">
							{[...groups.value]
								.sort((a, b) => (b.lagRecords ?? 0) - (a.lagRecords ?? 0))
								.slice(0, 6)
								.map((g) => (
									<li key={g.id}>
										<State state={g.state} />
										<a href={`/groups/${encodeURIComponent(g.id)}`} title={g.id}>
											{g.id}
										</a>
										<span class="push">
											<Lag records={g.lagRecords} seconds={g.lagSeconds} />
										</span>
									</li>
								))}
						</ul>
					) : topic("groups").value.ready ? (
						<Empty title={t().group.none} why={t().group.noneWhy} />
					) : (
						<Skeleton />
					)}
				</Card>
			</div>
			{painted.value ? <Details health={h.data} list={list} /> : <Skeleton height={320} />}
		</div>
	);
}
