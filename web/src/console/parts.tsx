/* What the console's pages have in common. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../i18n/index.ts";
import { request } from "../lib/api.ts";
import { compact, duration, num } from "../lib/format.ts";
import { query, setQuery } from "../lib/router.ts";
import { Button, Empty, now, toast } from "../ui/bits.tsx";
import { csv, download, sorted, Table, type Column } from "../ui/table.tsx";
import type { IconName } from "../ui/icons.tsx";

export function Head(p: {
	title: string;
	crumb?: { href: string; text: string };
	state?: ComponentChildren;
	children?: ComponentChildren;
}): JSX.Element {
	return (
		<header class="page-head">
			<div>
				{p.crumb && (
					<p class="crumbs">
						<a href={p.crumb.href}>{p.crumb.text}</a>
					</p>
				)}
				<h1>{p.title}</h1>
			</div>
			{p.state}
			{p.children && <div class="push">{p.children}</div>}
		</header>
	);
}

export function Fact({ name, children, title }: { name: string; children: ComponentChildren; title?: string }): JSX.Element {
	return (
		<div class="fact" title={title}>
			<span class="fact-name">{name}</span>
			<span class="fact-value">{children}</span>
		</div>
	);
}

export function Lag({ records, seconds }: { records?: number | null; seconds: number | null }): JSX.Element {
	const bad = (seconds ?? 0) > 60 ? "fail" : (seconds ?? 0) > 10 ? "warn" : "ok";
	return (
		<span class={`lag tone-${bad}`}>
			{records !== undefined && <b>{compact(records)}</b>}
			{seconds !== null && <span class="muted">{duration(seconds)}</span>}
		</span>
	);
}

export function Links({ base, names }: { base: string; names: readonly string[] | undefined }): JSX.Element {
	if (!names?.length) return <span class="muted">–</span>;
	return (
		<span class="chips">
			{names.map((n) => (
				<a key={n} href={`${base}/${encodeURIComponent(n)}`}>
					{n}
				</a>
			))}
		</span>
	);
}

export function Code({ text, label, class: c }: { text: string; label: string; class?: string }): JSX.Element {
	return (
		<div class="code-box">
			<pre class={`code ${c ?? ""}`} tabIndex={0} aria-label={label}>
				{text}
			</pre>
			<Button
				bare
				icon="copy"
				kind="ghost"
				label={`${t().act.copy} ${label}`}
				onClick={() => void navigator.clipboard.writeText(text).then(() => toast(t().act.copied))}
			/>
		</div>
	);
}

interface ListProps<R> {
	columns: Column<R>[];
	rows: R[];
	keyOf: (r: R) => string;
	label: string;
	file: string;
	search?: string;
	empty: ComponentChildren;
	preset?: string;
	tools?: ComponentChildren;
	text?: (r: R) => string;
}

/* A list that the browser holds whole: found by text, sorted by head, both in the URL. */
export function List<R>(p: ListProps<R>): JSX.Element {
	const find = query.value.get("q") ?? "",
		sort = query.value.get("sort") ?? p.preset ?? "";
	const rows = p.rows.filter((r) => !find || (p.text ?? p.keyOf)(r).toLowerCase().includes(find.toLowerCase()));
	const shown = query.value.get("sort") || p.preset ? sorted(rows, p.columns, sort) : rows;
	return (
		<section class="card" aria-label={p.label}>
			<div class="toolbar list-tools">
				{p.search && (
					<input
						class="input grow"
						type="search"
						placeholder={p.search}
						aria-label={p.search}
						value={find}
						onInput={(e) => setQuery({ q: e.currentTarget.value || null })}
					/>
				)}
				{p.tools}
				<span class="push toolbar">
					<span class="muted">
						{num(shown.length)}
						{shown.length !== p.rows.length ? ` / ${num(p.rows.length)}` : ""}
					</span>
					<Button
						bare
						kind="ghost"
						icon="download"
						label={t().act.csv}
						disabled={!shown.length}
						onClick={() => download(`${p.file}.csv`, csv(shown, p.columns))}
					/>
				</span>
			</div>
			{shown.length ? (
				<Table
					label={p.label}
					columns={p.columns}
					rows={shown}
					keyOf={p.keyOf}
					sort={sort}
					onSort={(s) => setQuery({ sort: s })}
				/>
			) : p.rows.length ? (
				<Empty title={t().word.none}>
					<Button label={t().act.clear} onClick={() => setQuery({ q: null })} />
				</Empty>
			) : (
				p.empty
			)}
		</section>
	);
}

export interface Tab {
	id: string;
	text: string;
}

export function Tabs({ tabs, label }: { tabs: Tab[]; label: string }): JSX.Element {
	const on = query.value.get("tab") ?? tabs[0]?.id;
	return (
		<nav class="tabs" aria-label={label}>
			{tabs.map((x, i) => (
				<a key={x.id} href={i ? `?tab=${x.id}` : location.pathname} aria-current={x.id === on ? "page" : undefined}>
					{x.text}
				</a>
			))}
		</nav>
	);
}
export const tabOf = (tabs: Tab[]): string => query.value.get("tab") ?? tabs[0]?.id ?? "";

/* Rows a second: the server's, or what the counter did between two looks. */
export function useRate(count: number | undefined, given: number | undefined): number | undefined {
	const last = useRef<{ n: number; at: number } | null>(null);
	const [r, set] = useState<number | undefined>(undefined);
	useEffect(() => {
		if (count === undefined) return;
		const at = Date.now(),
			l = last.current;
		if (!l) last.current = { n: count, at };
		else if (at - l.at > 900) {
			set(Math.max(0, ((count - l.n) * 1000) / (at - l.at)));
			last.current = { n: count, at };
		}
	}, [count, Math.floor(now.value / 1000)]);
	return given ?? r;
}

/*
 * A verb that the server confirms later: pending from the press until the state that is wanted shows in the stream, at most ten seconds.
 */
export function useAction(state: string): {
	pending: string | null;
	run: (name: string, method: string, url: string, wanted: string[]) => Promise<void>;
} {
	const [pending, set] = useState<{ name: string; wanted: string[]; from: string } | null>(null);
	const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
	useEffect(() => {
		if (!pending || !pending.wanted.includes(state)) return;
		toast(`${pending.name}: ${t().connector.confirmedAct}`);
		clearTimeout(timer.current);
		set(null);
	}, [state, pending]);
	useEffect(() => () => clearTimeout(timer.current), []);
	const run = async (name: string, method: string, url: string, wanted: string[]) => {
		set({ name, wanted, from: state });
		clearTimeout(timer.current);
		timer.current = setTimeout(() => set(null), 10000);
		try {
			await request(method, url);
		} catch (e) {
			set(null);
			toast(`${name}: ${(e as Error).message}`, true);
			throw e;
		}
	};
	return { pending: pending?.name ?? null, run };
}

export function Act(p: {
	icon: IconName;
	label: string;
	pending: string | null;
	onClick: () => void;
	kind?: "danger";
	disabled?: boolean;
}): JSX.Element {
	return (
		<Button
			icon={p.icon}
			label={p.pending === p.label ? `${p.label}…` : p.label}
			busy={p.pending === p.label}
			disabled={p.disabled || (p.pending !== null && p.pending !== p.label)}
			{...(p.kind ? { kind: p.kind } : {})}
			onClick={p.onClick}
		/>
	);
}
