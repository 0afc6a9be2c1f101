/* A table with sorting heads; cells are the caller's. Also CSV of what it is given. */
import type { ComponentChildren, JSX } from "preact";
import { Icon } from "./icons.tsx";

export interface Column<R> {
	id: string;
	name: string;
	num?: boolean;
	sort?: string;
	class?: string;
	cell: (row: R) => ComponentChildren;
	/* the value that CSV and local sorting take */
	value?: (row: R) => string | number | null | undefined;
}

interface Props<R> {
	columns: Column<R>[];
	rows: readonly R[];
	keyOf: (row: R) => string;
	label: string;
	sort?: string | undefined;
	onSort?: (sort: string) => void;
	flash?: (row: R) => boolean;
}

/* sort is "column,asc" or "column,desc" */
export function Table<R>(p: Props<R>): JSX.Element {
	const [by, way] = (p.sort ?? "").split(",");
	return (
		<div class="table-wrap" tabIndex={0} role="group" aria-label={p.label}>
			<table class="table">
				<caption class="sr">{p.label}</caption>
				<thead>
					<tr>
						{p.columns.map((c) => {
							const on = c.sort && c.sort === by;
							return (
								<th
									key={c.id}
									scope="col"
									class={c.num ? "num" : undefined}
									aria-sort={on ? (way === "desc" ? "descending" : "ascending") : undefined}
								>
									{c.sort && p.onSort ? (
										<button
											type="button"
											onClick={() => p.onSort?.(`${c.sort},${on && way !== "desc" ? "desc" : "asc"}`)}
										>
											{c.name}
											{on && <Icon name={way === "desc" ? "down" : "up"} />}
										</button>
									) : (
										c.name
									)}
								</th>
							);
						})}
					</tr>
				</thead>
				<tbody>
					{p.rows.map((r) => (
						<tr key={p.keyOf(r)} class={p.flash?.(r) ? "flash" : undefined} data-key={p.keyOf(r)}>
							{p.columns.map((c) => (
								<td key={c.id} class={`${c.num ? "num" : ""} ${c.class ?? ""}`.trim() || undefined}>
									{c.cell(r)}
								</td>
							))}
						</tr>
					))}
				</tbody>
			</table>
		</div>
	);
}

/* Rows in the order of a "column,way", by the columns' values. */
export function sorted<R>(rows: readonly R[], columns: Column<R>[], sort: string): R[] {
	const [by, way] = sort.split(",");
	const value = columns.find((c) => c.sort === by)?.value;
	if (!value) return [...rows];
	const turn = way === "desc" ? -1 : 1;
	return [...rows].sort((a, b) => {
		const x = value(a),
			y = value(b);
		if (x === y) return 0;
		if (x === null || x === undefined) return 1;
		if (y === null || y === undefined) return -1;
		return (
			(typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true })) *
			turn
		);
	});
}

/* RFC 4180; a cell that a spreadsheet would take for a formula gets a quote in front. */
export function csv<R>(rows: readonly R[], columns: Column<R>[]): string {
	const cell = (v: unknown) => {
		const s = v === null || v === undefined ? "" : String(v);
		const safe = typeof v === "string" && /^[=+@\-\t]/.test(s) ? `'${s}` : s;
		return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
	};
	const used = columns.filter((c) => c.value);
	return (
		[used.map((c) => cell(c.name)), ...rows.map((r) => used.map((c) => cell(c.value?.(r))))].map((l) => l.join(",")).join("\r\n") +
		"\r\n"
	);
}

export function download(name: string, text: string, type = "text/csv;charset=utf-8"): void {
	const a = document.createElement("a");
	a.href = URL.createObjectURL(new Blob(["\ufeff", text], { type }));
	a.download = name;
	a.click();
	setTimeout(() => URL.revokeObjectURL(a.href), 1000);
}
