/* Messages of a topic: pages from the newest, the oldest, an offset or a time, and the live tail with a bounded ring. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../i18n/index.ts";
import { get } from "../lib/api.ts";
import { bytes, dateTimeSeconds, instantOf, iso, num, rate, timeOrDate } from "../lib/format.ts";
import { useGet, useVisible } from "../lib/hooks.ts";
import { query, setQuery } from "../lib/router.ts";
import { paused } from "../lib/stream.ts";
import { Button, Card, Empty, ErrorBox, Skeleton } from "../ui/bits.tsx";
import { Icon } from "../ui/icons.tsx";
import { changeOf, diff, parse, show, type Change } from "./event.ts";
import type { Bytes, Message, Messages } from "./model.ts";
import { Code } from "./parts.tsx";

const text = (b: Bytes): string => (b === null ? "∅" : typeof b === "string" ? b : `${t().topic.binary}: ${b.base64}`);
const opWord = (op: string): string =>
	({ c: t().topic.createOp, u: t().topic.updateOp, d: t().topic.deleteOp, r: t().topic.readOp, t: t().topic.truncateOp })[op] ?? op;

function Diff({ c }: { c: Change }): JSX.Element {
	const rows = diff(c);
	return (
		<div class="table-wrap" tabIndex={0} role="group" aria-label={opWord(c.op)}>
			<table class="table diff">
				<thead>
					<tr>
						<th scope="col">{t().topic.field}</th>
						{c.before && <th scope="col">{t().topic.before}</th>}
						{c.after && <th scope="col">{t().topic.after}</th>}
					</tr>
				</thead>
				<tbody>
					{rows.map((r) => (
						<tr key={r.name} class={r.changed ? "changed" : undefined}>
							<td>{r.name}</td>
							{c.before && <td class="was">{show(r.before)}</td>}
							{c.after && <td class="is">{show(r.after)}</td>}
						</tr>
					))}
				</tbody>
			</table>
		</div>
	);
}

/*
 * A flattened update does not say what was before: the last message of the same key in front of it does, if it is still there to be found.
 */
function usePrevious(topic: string, m: Message, c: Change | null): Change | null {
	const wanted = c?.flat && c.op === "u" && typeof m.key === "string" ? m.key : null;
	const q = wanted && new URLSearchParams({ from: "newest", partition: String(m.partition), query: wanted, limit: "100" });
	const found = useGet<Messages>(q ? `/api/topics/${encodeURIComponent(topic)}/messages?${q}` : null);
	const last = found.data?.messages.find((x) => x.offset < m.offset && x.key === m.key);
	const before = last ? (changeOf(last.value)?.after ?? null) : null;
	return c && before ? { ...c, before } : c;
}

function Body({ topic, m }: { topic: string; m: Message }): JSX.Element {
	const c = usePrevious(topic, m, changeOf(m.value)),
		json = parse(m.value);
	const raw = json === undefined ? text(m.value) : JSON.stringify(json, null, 2);
	const [plain, setPlain] = useState(false);
	return (
		<div class="message-body">
			<div class="toolbar muted">
				<span>
					{dateTimeSeconds(m.timestamp)} · <code>{iso(m.timestamp)}</code>
				</span>
				<span>
					{t().word.key} {bytes(m.keySize)}, {t().word.value} {bytes(m.valueSize)}
				</span>
				{m.truncated && <span class="tag">{t().topic.truncated}</span>}
				{c && (
					<span class="push segments" role="group" aria-label={t().word.value}>
						<button type="button" aria-pressed={!plain} onClick={() => setPlain(false)}>
							{opWord(c.op)}
						</button>
						<button type="button" aria-pressed={plain} onClick={() => setPlain(true)}>
							{t().topic.raw}
						</button>
					</span>
				)}
			</div>
			{c && !plain ? <Diff c={c} /> : <Code text={raw} label={t().word.value} />}
			{m.headers.length > 0 && (
				<dl class="facts-grid">
					{m.headers.map((h, i) => (
						<div key={i} class="fact">
							<dt>{h.key}</dt>
							<dd class="mono" style={{ fontSize: "12.5px", fontWeight: 400 }}>
								{text(h.value)}
							</dd>
						</div>
					))}
				</dl>
			)}
		</div>
	);
}

function Heads(): JSX.Element {
	const w = t().word;
	return (
		<div class="message-heads" aria-hidden="true">
			<span />
			<span>Offset</span>
			<span>{w.time}</span>
			<span>{w.key}</span>
			<span>{w.value}</span>
		</div>
	);
}

function Line({ topic, m }: { topic: string; m: Message }): JSX.Element {
	const [open, setOpen] = useState(false);
	const c = changeOf(m.value);
	return (
		<details class="message" onToggle={(e) => setOpen(e.currentTarget.open)} data-offset={m.offset}>
			<summary>
				<Icon name="next" />
				<span class="muted mono" title={`${t().topic.partition} ${m.partition}`}>
					{m.partition}:{m.offset}
				</span>
				<span class="muted" title={iso(m.timestamp)}>
					{timeOrDate(m.timestamp)}
				</span>
				<code>{text(m.key)}</code>
				<span>
					{c && (
						<>
							<span class={`op op-${c.op}`} title={opWord(c.op)}>
								{c.op}
							</span>{" "}
						</>
					)}
					<code>{text(m.value).slice(0, 400)}</code>
				</span>
			</summary>
			{open && <Body topic={topic} m={m} />}
		</details>
	);
}

const keyOf = (m: Message): string => `${m.partition}:${m.offset}`;
const FROM = ["newest", "oldest", "offset", "time"] as const;

function urlOf(topic: string, cursor: string | null): string {
	const q = query.value,
		from = q.get("from") ?? "newest",
		out = new URLSearchParams({ limit: "50", from });
	if (from === "offset") out.set("offset", q.get("offset") || "0");
	if (from === "time") out.set("timestamp", String(instantOf(q.get("at") ?? "") || 0));
	if (q.get("partition")) out.set("partition", q.get("partition") ?? "");
	if (q.get("find")) out.set("query", q.get("find") ?? "");
	if (cursor) out.set("cursor", cursor);
	return `/api/topics/${encodeURIComponent(topic)}/messages?${out}`;
}

function Controls({ partitions, reload }: { partitions: number; reload: () => void }): JSX.Element {
	const from = query.value.get("from") ?? "newest",
		w = t().topic;
	const [find, setFind] = useState(query.value.get("find") ?? "");
	const asked = query.value.get("find") ?? "";
	useEffect(() => setFind(asked), [asked]);
	const names = { newest: w.newest, oldest: w.oldest, offset: w.offset, time: w.at };
	return (
		<form class="toolbar list-tools" onSubmit={(e) => (e.preventDefault(), setQuery({ find: find || null }, false), reload())}>
			<select
				class="input"
				aria-label={w.from}
				value={from}
				onChange={(e) => setQuery({ from: e.currentTarget.value === "newest" ? null : e.currentTarget.value }, false)}
			>
				{FROM.map((f) => (
					<option key={f} value={f} selected={f === from}>
						{names[f]}
					</option>
				))}
			</select>
			{from === "offset" && (
				<input
					class="input"
					type="number"
					min="0"
					aria-label={w.offset}
					value={query.value.get("offset") ?? "0"}
					onChange={(e) => setQuery({ offset: e.currentTarget.value }, false)}
				/>
			)}
			{from === "time" && (
				<input
					class="input"
					type="datetime-local"
					step="1"
					aria-label={w.at}
					value={query.value.get("at") ?? ""}
					onChange={(e) => setQuery({ at: e.currentTarget.value }, false)}
				/>
			)}
			{partitions > 1 && (
				<select
					class="input"
					aria-label={w.partition}
					value={query.value.get("partition") ?? ""}
					onChange={(e) => setQuery({ partition: e.currentTarget.value || null }, false)}
				>
					<option value="">{w.anyPartition}</option>
					{Array.from({ length: partitions }, (_, i) => (
						<option key={i} value={String(i)}>
							{i}
						</option>
					))}
				</select>
			)}
			<input
				class="input grow"
				type="search"
				placeholder={w.filter}
				aria-label={w.filter}
				value={find}
				onInput={(e) => setFind(e.currentTarget.value)}
			/>
			<Button icon="search" type="submit" label={t().act.search} />
			<span class="push">
				<Button bare icon="restart" label={t().act.refresh} onClick={reload} />
			</span>
		</form>
	);
}

export function Browser({ topic, partitions }: { topic: string; partitions: number }): JSX.Element {
	const [cursors, setCursors] = useState<string[]>([]);
	const first = urlOf(topic, null);
	useEffect(() => setCursors([]), [first]);
	const page = useGet<Messages>(urlOf(topic, cursors[cursors.length - 1] ?? null));
	const list = page.data?.messages ?? [],
		newest = (query.value.get("from") ?? "newest") === "newest";
	const next = page.data?.next,
		more = page.data?.more ?? list.length === 50;
	return (
		<Card flush class="browser">
			<Controls partitions={partitions} reload={() => (setCursors([]), page.reload())} />
			{page.error && (
				<div style={{ padding: "0 16px" }}>
					<ErrorBox error={page.error} retry={page.reload} stale={!!page.data} />
				</div>
			)}
			{page.data ? (
				list.length ? (
					<div class="messages">
						<Heads />
						{list.map((m) => (
							<Line key={keyOf(m)} topic={topic} m={m} />
						))}
					</div>
				) : (
					<Empty title={t().topic.empty} why={t().topic.emptyWhy} />
				)
			) : (
				!page.error && (
					<div style={{ padding: "0 16px" }}>
						<Skeleton lines={8} />
					</div>
				)
			)}
			{page.data && (
				<div class="pager">
					<span>
						{t().word.page} {num(cursors.length + 1)}
					</span>
					<span class="push toolbar">
						<Button
							icon="previous"
							label={newest ? t().topic.newer : t().topic.older}
							disabled={!cursors.length}
							onClick={() => setCursors(cursors.slice(0, -1))}
						/>
						<Button
							icon="next"
							label={newest ? t().topic.older : t().topic.newer}
							disabled={!next || !more}
							onClick={() => next && setCursors([...cursors, next])}
						/>
					</span>
				</div>
			)}
		</Card>
	);
}

const RING = 500,
	WAIT_MS = 10000,
	RETRY_MS = 1000,
	SHOWN = 100;

/*
 * Follows from now on: each request, with the cursor of the one before, is answered when there is something. The newest on top, the oldest
 * fall out of the ring. A page that nobody sees asks for nothing: a browser opens six connections to a server and no more.
 */
export function Tail({ topic, rate: perSecond }: { topic: string; rate: number | undefined }): JSX.Element {
	const [on, setOn] = useState(true);
	const [ring, setRing] = useState<Message[]>([]);
	const [error, setError] = useState<Error | null>(null);
	const started = useRef(Date.now());
	const visible = useVisible(),
		stopped = !on || paused.value || !visible;
	useEffect(() => {
		if (stopped) return;
		const abort = new AbortController();
		let cursor: string | null = null,
			timer: ReturnType<typeof setTimeout> | undefined;
		const at = `/api/topics/${encodeURIComponent(topic)}/messages?limit=200&from=time&timestamp=${started.current}&wait=${WAIT_MS}`;
		const look = async () => {
			try {
				const page: Messages = await get(cursor ? `${at}&cursor=${encodeURIComponent(cursor)}` : at, abort.signal);
				if (page.next) cursor = page.next;
				const fresh = page.messages;
				const newest = fresh[fresh.length - 1];
				if (newest) started.current = newest.timestamp;
				if (fresh.length)
					setRing((r) =>
						[...[...fresh].reverse(), ...r.filter((m) => !fresh.some((f) => keyOf(f) === keyOf(m)))].slice(0, RING),
					);
				setError(null);
				void look();
			} catch (e) {
				if ((e as Error).name === "AbortError") return;
				setError(e as Error);
				timer = setTimeout(() => void look(), RETRY_MS);
			}
		};
		void look();
		return () => {
			abort.abort();
			clearTimeout(timer);
		};
	}, [topic, stopped]);
	return (
		<Card flush>
			<div class="toolbar list-tools">
				<Button icon={on ? "pause" : "play"} label={on ? t().topic.stopTail : t().topic.tail} onClick={() => setOn(!on)} />
				<b>{rate(perSecond)}</b>
				<span class="muted">{t().topic.ring(RING)}</span>
				<span class="push">
					<Button label={t().act.clear} disabled={!ring.length} onClick={() => setRing([])} />
				</span>
			</div>
			{error && (
				<div style={{ padding: "0 16px" }}>
					<ErrorBox error={error} />
				</div>
			)}
			{ring.length ? (
				<div class="messages" data-ring={ring.length}>
					<Heads />
					{ring.slice(0, SHOWN).map((m) => (
						<Line key={keyOf(m)} topic={topic} m={m} />
					))}
				</div>
			) : (
				<Empty title={t().topic.waiting} />
			)}
		</Card>
	);
}
