/* The live table: paged, sorted and filtered by the server, its state in the URL; rows on screen change as they change in the database. */
import { computed, signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../i18n/index.ts";
import { get, request } from "../lib/api.ts";
import { dateTime, num } from "../lib/format.ts";
import { useGet } from "../lib/hooks.ts";
import { addShortcuts } from "../lib/keys.ts";
import { query, setQuery } from "../lib/router.ts";
import { topic } from "../lib/stream.ts";
import { Button, Card, confirmation, Empty, ErrorBox, Skeleton, State, STATUSES, toast, When, type Status } from "../ui/bits.tsx";
import { csv, download, Table, type Column } from "../ui/table.tsx";
import { EditDialog } from "./form.tsx";
import { spotlight, TECHNICIANS, type Intervention, type User } from "./data.ts";

interface Page {
	content: Intervention[];
	page: number;
	size: number;
	totalElements: number;
	totalPages: number;
}
interface Users {
	content: User[];
}

const NEXT: Partial<Record<Status, Status>> = { SCHEDULED: "IN_PROGRESS", IN_PROGRESS: "COMPLETED", COMPLETED: "VALIDATED" };
const editing = signal<Intervention | "new" | null>(null);

const param = (name: string): string => query.value.get(name) ?? "";
const pageNo = computed(() => Math.max(0, (Number(query.value.get("page")) || 1) - 1));
const size = computed(() => ([10, 20, 50, 100].includes(Number(param("size"))) ? Number(param("size")) : 10));
const sort = computed(() => param("sort") || "updatedAt,desc");

function listUrl(page: number, count: number): string {
	const q = new URLSearchParams({ page: String(page), size: String(count), sort: sort.value });
	for (const [to, from] of [
		["query", "q"],
		["status", "status"],
		["technicianId", "technician"],
	] as const)
		if (param(from)) q.set(to, param(from));
	return `/api/interventions?${q}`;
}
const url = computed(() => listUrl(pageNo.value, size.value));

/* at most a fetch a second, however fast rows change */
function useChanges(reload: () => void): ReadonlyMap<string, unknown> {
	const s = topic("interventions").value;
	const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
	const last = useRef(0);
	useEffect(() => {
		if (!s.changed?.size || timer.current) return;
		timer.current = setTimeout(
			() => {
				timer.current = undefined;
				last.current = Date.now();
				reload();
			},
			Math.max(120, 1000 - (Date.now() - last.current)),
		);
	}, [s]);
	useEffect(() => () => clearTimeout(timer.current), []);
	return s.rows;
}

async function exportAll(columns: Column<Intervention>[]): Promise<void> {
	const rows: Intervention[] = [];
	for (let page = 0, pages = 1; page < pages && page < 500; page++) {
		const p = await get<Page>(listUrl(page, 200));
		pages = p.totalPages;
		rows.push(...p.content);
	}
	download("interventions.csv", csv(rows, columns));
}

function act(row: Intervention, to: Status): void {
	request("POST", `/api/interventions/${row.id}/status`, { status: to }).then(
		() => toast(t().list.changed(row.reference, t().status[to])),
		(e: Error) => toast(e.message, true),
	);
}

function askDelete(row: Intervention): void {
	confirmation.value = {
		title: t().list.deleteTitle(row.reference),
		text: `${row.title}. ${t().list.deleteText}`,
		action: t().act.delete,
		run: () => request("DELETE", `/api/interventions/${row.id}`).then(() => toast(t().list.deleted(row.reference))),
	};
}

function Actions({ row }: { row: Intervention }): JSX.Element {
	const next = NEXT[row.status];
	const place = () => {
		if (row.latitude === null || row.longitude === null) return;
		spotlight.value = { id: row.id, at: [row.latitude, row.longitude] };
		document.getElementById("map")?.scrollIntoView({ block: "nearest", behavior: "smooth" });
	};
	return (
		<span class="row-actions">
			{next && (
				<Button
					bare
					kind="ghost"
					icon="arrow"
					label={`${row.reference}: ${t().list.advance(t().status[next])}`}
					onClick={() => act(row, next)}
				/>
			)}
			<Button
				bare
				kind="ghost"
				icon="pin"
				label={`${row.reference}: ${t().list.onMap}`}
				disabled={row.latitude === null}
				onClick={place}
			/>
			<Button bare kind="ghost" icon="pencil" label={`${t().act.edit} ${row.reference}`} onClick={() => (editing.value = row)} />
			<Button bare kind="ghost" icon="trash" label={`${t().act.delete} ${row.reference}`} onClick={() => askDelete(row)} />
		</span>
	);
}

function columns(): Column<Intervention>[] {
	const l = t().list;
	return [
		{
			id: "reference",
			name: l.reference,
			sort: "reference",
			class: "mono nowrap",
			cell: (r) => r.reference,
			value: (r) => r.reference,
		},
		{
			id: "title",
			name: l.subject,
			sort: "title",
			class: "title-cell",
			cell: (r) => <span title={r.description ?? undefined}>{r.title}</span>,
			value: (r) => r.title,
		},
		{ id: "status", name: t().word.status, sort: "status", cell: (r) => <State state={r.status} />, value: (r) => r.status },
		{
			id: "technician",
			name: l.technician,
			class: "nowrap",
			cell: (r) => r.technician?.fullName ?? <span class="muted">{l.nobody}</span>,
			value: (r) => r.technician?.fullName,
		},
		{
			id: "planned",
			name: l.planned,
			sort: "plannedAt",
			class: "nowrap",
			cell: (r) => dateTime(r.plannedAt),
			value: (r) => r.plannedAt,
		},
		{
			id: "updated",
			name: l.updated,
			sort: "updatedAt",
			class: "nowrap",
			cell: (r) => <When at={r.updatedAt} />,
			value: (r) => r.updatedAt,
		},
		{ id: "actions", name: l.actions, num: true, cell: (r) => <Actions row={r} /> },
	];
}

function Tools({ users, cols }: { users: User[]; cols: Column<Intervention>[] }): JSX.Element {
	const [text, setText] = useState(param("q"));
	const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
	useEffect(() => setText(param("q")), [param("q")]);
	const typed = (v: string) => {
		setText(v);
		clearTimeout(timer.current);
		timer.current = setTimeout(() => setQuery({ q: v.trim() || null, page: null }), 200);
	};
	return (
		<div class="toolbar list-tools">
			<input
				class="input grow"
				type="search"
				placeholder={t().list.search}
				aria-label={t().list.search}
				value={text}
				onInput={(e) => typed(e.currentTarget.value)}
			/>
			<select
				class="input"
				aria-label={t().word.status}
				value={param("status")}
				onChange={(e) => setQuery({ status: e.currentTarget.value || null, page: null }, false)}
			>
				<option value="">{t().list.anyStatus}</option>
				{STATUSES.map((s) => (
					<option key={s} value={s} selected={param("status") === s}>
						{t().status[s]}
					</option>
				))}
			</select>
			<select
				class="input"
				aria-label={t().list.technician}
				value={param("technician")}
				onChange={(e) => setQuery({ technician: e.currentTarget.value || null, page: null }, false)}
			>
				<option value="">{t().list.anyTech}</option>
				{users.map((u) => (
					<option key={u.id} value={String(u.id)} selected={param("technician") === String(u.id)}>
						{u.fullName}
					</option>
				))}
			</select>
			<span class="push toolbar">
				<Button
					icon="download"
					label={t().act.csv}
					onClick={() => void exportAll(cols).catch((e: Error) => toast(e.message, true))}
				/>
				<Button kind="primary" icon="plus" label={t().list.create} onClick={() => (editing.value = "new")} />
			</span>
		</div>
	);
}

function Pager({ p }: { p: Page }): JSX.Element {
	const first = p.totalElements ? p.page * p.size + 1 : 0,
		last = Math.min(p.totalElements, (p.page + 1) * p.size);
	const go = (n: number) => setQuery({ page: n ? String(n + 1) : null }, false);
	return (
		<div class="pager">
			<span data-total={p.totalElements}>{t().word.showing(num(first), num(last), num(p.totalElements))}</span>
			<select
				class="input push"
				aria-label={t().list.perPage}
				value={String(size.value)}
				onChange={(e) => setQuery({ size: e.currentTarget.value, page: null }, false)}
			>
				{[10, 20, 50, 100].map((n) => (
					<option key={n} value={String(n)} selected={n === size.value}>
						{n} {t().list.perPage}
					</option>
				))}
			</select>
			<Button bare icon="previous" label={t().act.previous} disabled={p.page === 0} onClick={() => go(p.page - 1)} />
			<Button bare icon="next" label={t().act.next} disabled={p.page + 1 >= p.totalPages} onClick={() => go(p.page + 1)} />
		</div>
	);
}

export function ListCard(): JSX.Element {
	const page = useGet<Page>(url.value);
	const users = useGet<Users>(TECHNICIANS);
	const live = useChanges(page.reload);
	const technicians = users.data?.content ?? [];
	const cols = columns();
	useEffect(() => addShortcuts([{ keys: "n", label: () => t().help.create, run: () => (editing.value = "new") }]), []);
	/* what the stream says of a row on screen shows at once; the order follows with the next fetch */
	const rows = (page.data?.content ?? []).map((r) => {
		const fresh = live.get(String(r.id)) as Intervention | undefined;
		return fresh && fresh.updatedAt >= r.updatedAt ? fresh : r;
	});
	const changed = topic("interventions").value.changed;
	const clear = () => setQuery({ q: null, status: null, technician: null, page: null }, false);
	const close = () => (editing.value = null);
	return (
		<Card class="c-list" id="list" title={t().list.title} flush>
			<Tools users={technicians} cols={cols} />
			{page.error && (
				<div style={{ padding: "0 16px" }}>
					<ErrorBox error={page.error} retry={page.reload} stale={!!page.data} />
				</div>
			)}
			{page.data ? (
				rows.length ? (
					<Table
						label={t().list.title}
						columns={cols}
						rows={rows}
						keyOf={(r) => String(r.id)}
						sort={sort.value}
						flash={(r) => changed?.has(String(r.id)) ?? false}
						onSort={(s) => setQuery({ sort: s, page: null }, false)}
					/>
				) : (
					<Empty title={t().list.empty} why={t().list.emptyWhy}>
						<Button label={t().act.clear} onClick={clear} />
					</Empty>
				)
			) : (
				!page.error && (
					<div style={{ padding: "0 16px" }}>
						<Skeleton height={400} />
					</div>
				)
			)}
			{page.data && <Pager p={page.data} />}
			{editing.value && (
				<EditDialog
					row={editing.value === "new" ? null : editing.value}
					technicians={technicians}
					onClose={close}
					onDone={() => (close(), page.reload())}
				/>
			)}
		</Card>
	);
}
